// fetch() that outlives the session: on 401 the user signs in in a new window, and the call is made again.

const dialog = document.getElementById("sign-in");
const news = new BroadcastChannel("signed-in"); // heard by pages of this origin, and by no others

export const user = await (await fetch("/auth/session")).json();

export async function call(path, options) {
  for (;;) { // each round takes a person who presses "Sign in"
    const answer = await fetch(path, options);
    if (answer.status !== 401) return answer;
    await signIn(await answer.json());
  }
}

let underWay = null; // calls that fail together ask once

function signIn(problem) {
  return underWay ??= ask(problem).finally(() => underWay = null);
}

function ask({ title, login_url }) {
  const url = new URL(login_url);
  if (url.origin !== location.origin) throw new Error("That is no login of ours.");
  url.searchParams.set("return_to", "/signed-in"); // what else is in it says which login is needed, sealed
  document.getElementById("why").textContent = title;
  // A press on a button may open a window; a script that waited for an answer may not. "noopener": no page that the
  // window passes through gets hold of this one.
  document.getElementById("open").onclick = () => open(url, "_blank", "popup,noopener,width=520,height=720");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((goOn, giveUp) => {
    dialog.onclose = () => dialog.returnValue === "signed in" ? goOn() : giveUp(new Error("Not signed in."));
  });
}

news.onmessage = ({ data: sub }) => {
  if (sub !== user.sub) location.reload(); // what one person wrote is not sent in another's name
  else if (dialog.open) dialog.close("signed in");
};
