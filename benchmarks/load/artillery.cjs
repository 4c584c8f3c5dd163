/* What an Artillery user writes: the same chat as everybody's. Its own steps take one answer to one message, so
 * the five events are checked by a function of ours on the scenario's socket. */
const EVENTS = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"];
const FIELDS = ["type", "data", "message_id", "run_id", "thread_id", "user_id", "session_id", "timestamp", "sequence"];
const SAME = ["run_id", "thread_id", "user_id", "session_id"];
const TELL_EVERY = 100; /* chats */
const fs = require("node:fs");
let chats = 0, made = 0, began = null;

function must(holds, what) {
  if (!holds) throw new Error(what);
}

/** Send one message and check the five events of its answer. */
async function checkedChat(context, events) {
  const content = `candidate-load-u${++chats}t1`;
  const ids = new Set();
  let first, place = 0;
  await new Promise((resolve, reject) => {
    context.ws.onclose = () => reject(new Error("closed"));
    context.ws.onmessage = ({ data }) => {
      try {
        const event = JSON.parse(data);
        first = first || event;
        must(event.type === EVENTS[place] && event.sequence === place + 1, "order");
        must(FIELDS.every((field) => field in event), "fields");
        must(SAME.every((field) => event[field] === first[field]), "same");
        must(!ids.has(event.message_id), "ids");
        ids.add(event.message_id);
        if (++place < EVENTS.length) return;
        must(event.data.response.includes(content), "echo");
        context.ws.onclose = null;
        resolve();
      } catch (problem) {
        reject(problem);
      }
    };
    context.ws.send(JSON.stringify({ type: "chat_message", data: { content, agent: "triage", thread_id: null } }));
  });
  events.emit("counter", "chats", 1);
  tell();
}

/** Keep what was made with how much of a processor's time, since the first chat ended. */
function tell() {
  began = began || process.cpuUsage();
  if (++made % TELL_EVERY !== 1) return;
  const { user, system } = process.cpuUsage(began);
  fs.writeFileSync(process.env.TOLD, JSON.stringify({ made: made - 1, cpu_s: (user + system) / 1e6 }));
}

/** Go on chatting on the same connection. */
async function chatsForAWhile(context, events) {
  const end = Date.now() + 1000 * context.vars.seconds;
  while (Date.now() < end) await checkedChat(context, events);
}

module.exports = { checkedChat, chatsForAWhile };
