// Joins a Minecraft server and says one thing: node bot.js HOST PORT VERSION NAME MESSAGE
// Prints "joined" when it is in the world, then one line for every message it sees. Ends with its standard input.
const mineflayer = require("mineflayer");

const [host, port, version, username, message] = process.argv.slice(2);
const bot = mineflayer.createBot({ host, port: Number(port), version, username, auth: "offline" });

bot.once("spawn", () => {
  console.log("joined");
  bot.chat(message);
});
bot.on("message", (seen) => console.log(`message ${seen.toString()}`));
bot.on("kicked", (reason) => console.log(`kicked ${reason}`));
bot.on("error", (error) => console.log(`error ${error.message}`));
bot.on("end", (reason) => console.log(`end ${reason}`));

process.stdin.resume();
process.stdin.on("end", () => {
  bot.quit();
  setTimeout(() => process.exit(), 200);
});
