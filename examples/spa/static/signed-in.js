// The window of a login is back: tell the pages that wait who signed in, and go.
const { sub } = await (await fetch("/auth/session")).json();
new BroadcastChannel("signed-in").postMessage(sub);
close();
