import { chromium } from "playwright-core";
const cookies=(await import("node:fs")).readFileSync("/root/demo.cookies","utf8").split("\n").filter(l=>l.includes("\tph\t")).map(l=>l.split("\t"));
const b=await chromium.launch({executablePath:"/usr/bin/chromium",args:["--no-sandbox"]});
const themes=(process.env.THEMES||"dark,light").split(",");
for (const theme of themes) { const c=await b.newContext({viewport:{width:1440,height:900},colorScheme:theme}); await c.addCookies([{name:"ph",value:cookies[0][6].trim(),domain:"127.0.0.1",path:"/"}]);
await c.addInitScript(t=>{try{localStorage.setItem("ph.theme",t)}catch{}},theme);
const p=await c.newPage(); p.on("console",m=>{if(m.type()==="error")console.log(theme,m.text())});
for (const a of process.argv.slice(2)) { const [n,u]=a.split("="+"@"); await p.goto("http://127.0.0.1:8000/o/main/"+u); await p.waitForTimeout(+process.env.WAIT||9000); await p.screenshot({path:`/root/shots/${n}-${theme}.png`}); } }
await b.close();
