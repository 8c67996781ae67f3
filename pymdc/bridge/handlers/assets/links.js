// What a page of a link does besides where scripts run: local times, a word after a click, a file that is seen going.
"use strict";

const said = document.querySelector("[role=status]");

function say(text, bad) {
  said.textContent = text;
  said.classList.toggle("bad", Boolean(bad));
}

function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; bytes >= 1000 && unit < units.length - 1; unit++) bytes /= 1000;
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

function quoted(name) {
  return `“\u2068${name}\u2069”`; // isolated, whatever its direction
}

for (const time of document.querySelectorAll("time")) {
  time.textContent = new Date(time.dateTime).toLocaleString("en", { dateStyle: "long", timeStyle: "short" });
}

function offer(form) {
  form.addEventListener("submit", () => {
    say("The download has begun. If it breaks off, your browser can go on with it for a day.");
  });
}

function receive(form) {
  const input = form.querySelector("input[type=file]"), button = form.querySelector("button");
  const bar = form.querySelector("progress"), most = Number(form.dataset.most || Infinity);

  function takes() {
    return button.isConnected && !button.disabled;
  }

  function fits() {
    const file = input.files[0];
    const large = file && file.size > most;
    if (large) say(`${quoted(file.name)} has ${size(file.size)}: that is more than this link takes.`, true);
    else say("");
    return file && !large;
  }

  function send() {
    const request = new XMLHttpRequest();
    request.open("POST", location.href);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = ({ loaded, total }) => {
      bar.max = total;
      bar.value = loaded;
      bar.textContent = `${Math.floor(100 * loaded / total)} %`;
    };
    request.onload = () => done(request);
    request.onerror = () => whyNot(input.files[0]).then(again);
    request.send(new FormData(form));
    say("Your file is on its way. Leave this page open until it has arrived.");
    busy(true);
  }

  function busy(now) {
    button.disabled = input.disabled = now;
    bar.hidden = !now;
    (now ? addEventListener : removeEventListener)("beforeunload", hold);
  }

  // A file that is not as it was when it was chosen ends an upload as a broken connection does; so does a folder.
  function whyNot(file) {
    return file.slice(0, 1).arrayBuffer().then(
      () => "The connection broke. The link is still good: try again.",
      () => `${quoted(file.name)} cannot be read: it is a folder, or was changed or removed. Choose it again, or another.`,
    );
  }

  function hold(event) {
    event.preventDefault();
  }

  function again(text) {
    busy(false);
    say(text, true);
    button.focus();
  }

  function done(request) {
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // Of a proxy: its status has to do.
    }
    if (request.status !== 200) {
      again(answer.error || `That did not work: the answer was ${request.status}.`);
      return;
    }
    busy(false);
    document.querySelector("h1").textContent = "It has arrived";
    document.title = "It has arrived";
    for (const gone of document.querySelectorAll("[data-before]")) gone.remove();
    say(`${quoted(answer.filename)}, ${size(answer.size)}, is where it was asked for. This page can be closed.`);
    said.tabIndex = -1;
    said.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!input.files.length) say("Choose a file first.", true);
    else if (fits()) send();
  });
  input.addEventListener("change", fits);
  for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
    addEventListener(name, (event) => {
      event.preventDefault(); // else the browser would leave for the file
      input.classList.toggle("over", over && takes());
    });
  }
  addEventListener("drop", (event) => {
    const { files } = event.dataTransfer;
    if (!takes() || !files.length) return;
    if (files.length > 1) {
      say("This link takes one file: put them into one archive first.", true);
      return;
    }
    input.files = files;
    fits();
  });
}

for (const form of document.forms) (form.enctype === "multipart/form-data" ? receive : offer)(form);
