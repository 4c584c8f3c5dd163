// A server of somebody's own: HTTP and WebSocket in plain Node, led by the container contract alone.
"use strict";
const { createHash } = require("node:crypto");
const { createServer } = require("node:http");

const revision = process.env.K_REVISION;
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const [TEXT, CLOSE] = [0x1, 0x8];

const server = createServer((request, response) => {
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ revision, path: request.url, node: process.version }));
});

server.on("upgrade", (request, socket, head) => {
  const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + GUID).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let received = head;
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    for (let frame = read(received); frame; frame = read(received)) {
      received = received.subarray(frame.length);
      if (frame.opcode === CLOSE) return socket.end(write(CLOSE, frame.payload));
      socket.write(write(TEXT, Buffer.from(`${revision} heard ${frame.payload}`)));
    }
  });
});

// Frames of a client: always masked; this server takes short ones (up to 125 bytes) only.
function read(bytes) {
  const size = bytes.length >= 6 ? bytes[1] & 0x7f : NaN;
  if (!(bytes.length >= 6 + size)) return null;
  const payload = Buffer.from(bytes.subarray(6, 6 + size).map((byte, i) => byte ^ bytes[2 + (i % 4)]));
  return { opcode: bytes[0] & 0xf, payload, length: 6 + size };
}

function write(opcode, payload) {
  return Buffer.concat([Buffer.from([0x80 | opcode, payload.length]), payload]);
}

process.on("SIGTERM", () => process.exit(0));
server.listen(Number(process.env.PORT), process.env.RUNBOOK_BIND, () =>
  console.log(JSON.stringify({ severity: "INFO", message: "node listens", revision })),
);
