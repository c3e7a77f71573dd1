// Signs a person in if need be, shows which device waits under a code, and lets it in or not.
"use strict";

const part = (id) => document.getElementById(id);
const views = ["waiting", "sign-in", "enter-code", "decide", "done"];
const scopes = {
  read: "look at what you may look at",
  deploy: "look, deploy, configure and scale",
  manage: "everything you may do",
};

let account = null;
let code = new URLSearchParams(location.search).get("code") ?? "";

/** Shows one of the views, and puts the focus where work goes on. */
function show(view, title, focus) {
  for (const id of views) part(id).hidden = id !== view;
  part("title").textContent = title;
  document.title = `${title} - Skypanel`;
  part("who").hidden = account === null || view === "sign-in";
  part("signed-in-as").textContent = account ?? "";
  (focus ? part(focus) : part("title")).focus();
}

function tell(problem) {
  part("problem").textContent = problem ?? "";
  part("problem").hidden = !problem;
}

/** What writes of a session must bring along. Over HTTPS the cookie has the name that only this host can give it. */
function csrfToken() {
  const name = (location.protocol === "https:" ? "__Host-" : "") + "skypanel_csrf";
  const pair = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return pair?.slice(name.length + 1) ?? "";
}

/** Calls the API. Answers the status and the body; a connection that fails is an answer, too. */
async function call(method, path, body) {
  const headers = { accept: "application/json" };
  if (method !== "GET") headers["x-csrf-token"] = csrfToken();
  if (body !== undefined) headers["content-type"] = "application/json";
  try {
    const response = await fetch(path, {
      method, headers, credentials: "same-origin", body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    let json = {};
    try { json = text ? JSON.parse(text) : {}; } catch { json = { error: "The platform's answer could not be read." }; }
    return { ok: response.ok, status: response.status, json };
  } catch {
    return { ok: false, status: 0, json: { error: "The platform does not answer. Is your connection up?" } };
  }
}

/** The same in the session, which is renewed once if it has run out. */
async function sessionCall(method, path, body) {
  const first = await call(method, path, body);
  if (first.status !== 401) return first;
  const renewed = await call("POST", "/api/auth/refresh");
  // 409: another tab renewed it a moment ago, and its cookies are ours.
  return renewed.ok || renewed.status === 409 ? call(method, path, body) : first;
}

function askForSignIn(problem) {
  account = null;
  tell(problem);
  show("sign-in", "Sign in", "email");
}

async function begin() {
  const me = await sessionCall("GET", "/api/me");
  if (me.ok) {
    account = me.json.email;
    return code ? look() : askForCode();
  }
  return askForSignIn(me.status === 401 ? null : me.json.error);
}

function askForCode(problem) {
  tell(problem);
  part("code").value = code;
  show("enter-code", "Log a device in", "code");
}

/** Looks which device waits under the code. */
async function look() {
  const found = await sessionCall("GET", `/api/auth/device/${encodeURIComponent(code)}`);
  if (found.status === 401) return askForSignIn("Your session has ended. Sign in again.");
  if (!found.ok) return askForCode(found.json.error);
  code = found.json.user_code;
  part("account").textContent = account;
  part("device").textContent = found.json.client_name;
  part("shown-code").textContent = found.json.user_code;
  part("scope").textContent = `${scopes[found.json.scope] ?? ""} (${found.json.scope})`;
  part("address").textContent = found.json.address ?? "an unknown address";
  tell(null);
  show("decide", "Let this device in?");
}

/** Runs the work of a form, during which its buttons do nothing. */
function onSubmit(id, work) {
  part(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const buttons = event.target.querySelectorAll("button");
    for (const button of buttons) button.disabled = true;
    try { await work(event); } finally { for (const button of buttons) button.disabled = false; }
  });
}

onSubmit("sign-in", async () => {
  const answered = await call("POST", "/api/auth/login", {
    email: part("email").value.trim(), password: part("password").value, code: part("otp").value.trim() || null,
  });
  if (answered.ok) {
    account = answered.json.email;
    part("password").value = part("otp").value = "";
    part("second-factor").hidden = true;
    return code ? look() : askForCode();
  }
  if (answered.json.code === "SECOND_FACTOR_REQUIRED") {
    part("second-factor").hidden = false;
    tell(null);
    return part("otp").focus();
  }
  tell(answered.json.error);
  part(part("second-factor").hidden ? "password" : "otp").focus();
});

onSubmit("enter-code", async () => {
  code = part("code").value.trim();
  if (!code) return tell("Enter the code that your terminal shows.");
  await look();
});

onSubmit("decide", async (event) => {
  const approve = event.submitter?.value === "yes";
  const answered = await sessionCall("POST", `/api/auth/device/${encodeURIComponent(code)}`, { approve });
  if (answered.status === 401) return askForSignIn("Your session has ended. Sign in again.");
  if (!answered.ok) return askForCode(answered.json.error);
  tell(null);
  part("done").textContent = approve
    ? "Your terminal goes on by itself in a moment. You can close this page."
    : "The device was not let in. You can close this page.";
  show("done", approve ? "The device is logged in" : "The device was denied");
});

part("sign-out").addEventListener("click", async () => {
  await call("POST", "/api/auth/logout");
  askForSignIn(null);
});

begin();
