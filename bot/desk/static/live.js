// What changed, as it changes: one socket. Without it the page asks every few seconds; after sleep it reads all again.

const SILENT = 50000; // the service says something every 20 s
const POLL = 5000;
const CALM = 30000; // a hint may be lost: look by ourselves now and then
const SIGNED_OUT = 4401;

/** `changed(conversations, all)`: these changed, or anything may have. `state("on" | "off")`. `gone()`: signed out.
 * `typing(conversation)`. `hello(version)`: the service is there, of this version. */
export function watch({ changed, typing, renamed, state, gone, hello }) {
  let socket = null;
  let tries = 0;
  let heard = 0;
  let looked = Date.now();
  let timer = 0;

  function connect() {
    clearTimeout(timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const mine = new WebSocket(`${scheme}://${location.host}/desk/ws`);
    socket = mine;
    heard = Date.now();
    mine.onmessage = (event) => {
      heard = Date.now();
      const told = JSON.parse(event.data);
      if (told.type === "hello") {
        tries = 0;
        hello(told.version);
        state("on");
        look(); // what changed before the socket was open
      } else if (told.type === "typing") typing(told.conversation);
      else if (told.type === "tick") renamed(told.me);
      else if (told.type === "changed") changed(told.conversations, told.all);
    };
    mine.onclose = (event) => {
      if (socket !== mine) return;
      socket = null;
      if (event.code === SIGNED_OUT) return gone();
      state("off");
      const pause = Math.min(30000, 500 * 2 ** tries++) * (0.5 + Math.random());
      timer = setTimeout(connect, pause);
    };
  }

  function look() {
    looked = Date.now();
    changed([], true);
  }

  function again() {
    tries = 0;
    if (socket) {
      const old = socket;
      socket = null;
      old.close();
    }
    connect();
  }

  setInterval(() => {
    const open = socket && socket.readyState === WebSocket.OPEN;
    if (socket && Date.now() - heard > SILENT) again();
    if (!document.hidden && Date.now() - looked > (open ? CALM : POLL)) look();
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    if (!socket || Date.now() - heard > SILENT) again();
    look();
  });
  addEventListener("online", again);
  connect();
}
