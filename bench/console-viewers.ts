/** Browsers of the console, as far as the engine sees them: sockets that read all that comes. `URL COUNT`. */
const [url = "", count = "1"] = process.argv.slice(2);
let bytes = 0;
let snapshots = 0;

for (let i = 0; i < Number(count); i++) {
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => {
    const text = String(data);
    bytes += text.length;
    if (!text.startsWith('{"type":"snapshot"')) return;
    snapshots++;
    if (snapshots === Number(count)) process.stdout.write("ready\n");
  };
}

process.stdin.on("data", () => {
  process.stdout.write(`${JSON.stringify({ bytes, snapshots })}\n`);
  process.exit(0);
});
