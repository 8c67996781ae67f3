"""
Chromium without a window, led by its DevTools protocol: what a person does with a page, and what is seen of it.

Its messages go through a pair of pipes, each ended by a zero byte.
"""

import base64
import json
import os
import select
import subprocess
import time
from pathlib import Path

PATIENCE = 60  # seconds
#: Chromium reads from descriptor 3 and writes to 4.
PIPED = ["sh", "-c", 'exec "$@" 3<&0 4>&1 >/dev/null 2>&1', "sh"]
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--lang=en", "--remote-debugging-pipe"]
KEYS = {"Tab": 9, "Enter": 13, "Space": 32}


class Browser:
    """A browser of its own, with a profile in *folder*, whose downloads are in ``folder / "downloads"``."""

    def __init__(self, folder: Path):
        self.downloads = folder / "downloads"
        self._process = subprocess.Popen(
            [*PIPED, *CHROMIUM, f"--user-data-dir={folder / 'profile'}", "about:blank"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env={**os.environ, "HOME": str(folder), "TZ": "UTC"}, bufsize=0,
        )
        self._number, self._read, self.events = 0, b"", []
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads), eventsEnabled=True)

    def page(self) -> "Page":
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        return Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])

    def call(self, method, session=None, **params) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        answer = self._until(lambda came: came.get("id") == self._number)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def wait_for(self, method, session=None, **params) -> dict:
        """Return the parameters of an event, which may have come already; then it is forgotten."""
        def matches(event):
            return (event.get("method") == method and event.get("sessionId") == session
                    and params.items() <= event["params"].items())
        event = next(filter(matches, self.events), None) or self._until(matches)
        self.events.remove(event)
        return event["params"]

    def close(self):
        self._process.terminate()
        self._process.communicate()

    def _until(self, matches):
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self._next(deadline)
            if "method" in message:
                self.events.append(message)
            if matches(message):
                return message

    def _next(self, deadline):
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, "Chromium says nothing"
            data = os.read(self._process.stdout.fileno(), 1 << 20)
            assert data, "Chromium has ended"
            self._read += data
        message, _, self._read = self._read.partition(b"\0")
        return json.loads(message)


class Page:
    """A tab."""

    def __init__(self, browser: Browser, session: str):
        self.browser, self._session = browser, session
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.call(domain + ".enable")

    def call(self, method, **params) -> dict:
        return self.browser.call(method, self._session, **params)

    def wait_for(self, method, **params) -> dict:
        return self.browser.wait_for(method, self._session, **params)

    def look(self, width=1000, height=700, dark=False, scripts=True):
        """Say how the page is looked at."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, url: str):
        self.call("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")

    def evaluate(self, expression: str):
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_until(self, condition: str):
        """Wait until a JavaScript expression is true, looked at for each frame."""
        self.evaluate(f"new Promise(resolve => {{ const look = () => ({condition}) ? resolve(true)"
                      f" : setTimeout(look, 20); look(); }})")

    @property
    def text(self) -> str:
        return self.evaluate("document.body.innerText")

    def click(self, selector: str):
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str):
        typed = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key], **typed)

    def choose(self, selector: str, *paths: Path):
        """Choose files, as in the dialog of the system."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def drop(self, selector: str, *paths: Path):
        """Drag files over something, and drop them there."""
        x, y = self.middle(selector)
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def middle(self, selector: str) -> tuple:
        return tuple(self.evaluate(
            f"(box => [box.x + box.width / 2, box.y + box.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        ))

    def downloaded(self) -> Path:
        """Wait for the download that has begun; return the file."""
        begun = self.browser.wait_for("Browser.downloadWillBegin")
        self.browser.wait_for("Browser.downloadProgress", guid=begun["guid"], state="completed")
        return self.browser.downloads / begun["suggestedFilename"]

    def complaints(self) -> list:
        """Return what the browser has logged: what a policy forbids, what cannot be loaded, what a script throws."""
        kinds = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.browser.events
                if event["method"] in kinds and event.get("sessionId") == self._session]

    def picture(self, path: Path):
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))
