"""Cases: from the first word to the customer's own "it is good again".

`rules` is the life of a case, `numbers` what it is called, `calendar` when we are there, `deadlines` what we promise,
`departments` who takes it. All pure but for the reading of their content files.
"""
