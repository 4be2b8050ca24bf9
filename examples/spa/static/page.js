// The page: what a person does here stays here while they sign in again elsewhere.
import { call, user } from "./call.js";

const find = id => document.getElementById(id);

find("who").textContent = user.name ?? user.sub; // never innerHTML: a name is what somebody typed

for (const button of document.querySelectorAll("button[data-path]")) {
  button.addEventListener("click", async () => {
    const { method, path } = button.dataset;
    find("said").textContent = "…";
    try {
      const body = method === "DELETE" ? null : find("note").value;
      const answer = await call(path, { method, body });
      const { done, title, reference } = await answer.json();
      find("said").textContent = answer.ok ? done : `${title} (reference ${reference}).`;
      find("count").textContent = Number(find("count").textContent) + 1;
    } catch (error) {
      find("said").textContent = error.message;
    }
  });
}
