// The player of a page: a clip in step with its code, cards that move, and the reader's progress.
//
// Everything a reader sees is in the HTML already; this script only makes it follow the video. A
// metadata track says which lines each cue shows and what the names hold after it.
(() => {
  "use strict";
  if (customElements.get("torchreel-clip")) return;

  const FRAME = 0.04; // seconds: so far before its end a step shows its last frame
  const INSIDE = 0.005; // seconds: at its very start a step would also be the end of the last one
  const STILL = matchMedia("(prefers-reduced-motion: reduce)");
  const PHONE = matchMedia("(max-width: 30rem)"); // as in torchreel.css
  const SITE = new URL("..", document.currentScript.src).pathname;

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const clock = seconds =>
    `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // The element that the address names: none where the address is no text.
  function named() {
    try {
      return document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return null;
    }
  }

  // Which clips the reader has played to their end, kept in this browser and nowhere else.
  const progress = {
    key: `torchreel:${SITE}`,
    read() {
      try {
        const kept = JSON.parse(localStorage.getItem(this.key)) || {};
        return { clips: kept.clips || [], lessons: kept.lessons || [] };
      } catch {
        return { clips: [], lessons: [] };
      }
    },
    write(kept) {
      try {
        localStorage.setItem(this.key, JSON.stringify(kept));
      } catch {
        return; // storage is blocked or full: the page does without
      }
      document.dispatchEvent(new Event("torchreel:progress"));
    },
    played(clip) {
      const { clips, lessons } = this.read();
      const folder = key => key.slice(0, key.lastIndexOf("/"));
      if (!clips.includes(clip)) clips.push(clip);
      const keys = [...document.querySelectorAll("torchreel-clip[data-clip]")].map(
        each => each.dataset.clip,
      );
      const lesson = folder(clip);
      const own = keys.filter(key => folder(key) === lesson);
      if (own.every(key => clips.includes(key)) && !lessons.includes(lesson)) lessons.push(lesson);
      this.write({ clips, lessons });
    },
    reset() {
      try {
        localStorage.removeItem(this.key);
      } catch {
        return;
      }
      document.dispatchEvent(new Event("torchreel:progress"));
    },
  };

  // Another tab may know more of it.
  addEventListener("storage", ({ key }) => {
    if (key === null || key === progress.key) document.dispatchEvent(new Event("torchreel:progress"));
  });

  // A clip's video and its steps; `rest` is the step it rests on: shown, but not being played.
  class Reel {
    constructor(video, changed) {
      this.video = video;
      this.changed = changed;
      this.steps = [];
      this.rest = null;
      this.stepping = false;
      this.jumped = 0; // seconds: where the last jump went
    }

    async load() {
      const [metadata, chapters] = await Promise.all(
        ["metadata", "chapters"].map(kind => loaded(this.video.querySelector(`[kind=${kind}]`))),
      );
      this.steps = [...metadata.cues].map((cue, index) => {
        cue.onexit = () => this.left(index);
        const title = chapters.cues[index].getCueAsHTML().textContent;
        const { startTime: start, endTime: end } = cue;
        return { index, cue, title, start, end, ...JSON.parse(cue.text) };
      });
      metadata.addEventListener("cuechange", () => this.changed());
    }

    get duration() {
      const { duration } = this.video;
      return Number.isFinite(duration) && duration > 0 ? duration : this.steps.at(-1)?.end || 0;
    }

    // The step that is on screen: the one that rests, or the one at this time.
    get step() {
      return this.rest || this.at(this.video.currentTime);
    }

    at(time) {
      const found = this.steps.findLast(step => step.start <= time + 0.001);
      return found || this.steps[0] || null;
    }

    stopAtLines(stepping) {
      this.stepping = stepping;
    }

    // In step mode a line that was played stops there. Chromium's own `pauseOnExit` would also stop
    // for a line that a jump left.
    left(index) {
      const step = this.steps[index];
      const late = this.video.currentTime - step.end;
      const played = this.jumped < step.end && late > -INSIDE;
      if (!this.stepping || !played || index + 1 === this.steps.length) return; // or it ended
      this.video.pause();
      if (late > 0) this.jump(step.end - FRAME); // what is seen there is of the next line
      this.rest = step;
      this.done = true; // it was played: what is played next is the step after it
      this.changed();
    }

    // Go to a step: play it from its start, or rest on its last frame.
    go(step, play) {
      if (!step) return;
      this.wake("auto");
      if (play && !STILL.matches) {
        this.rest = null;
        this.jump(step.start + INSIDE);
        this.start();
      } else {
        this.video.pause();
        this.rest = step;
        this.done = false;
        this.jump(Math.max(step.start, step.end - FRAME));
      }
      this.changed();
    }

    seek(time) {
      this.wake("auto");
      this.rest = null;
      this.jump(time);
      this.changed();
    }

    // A server that knows no byte ranges has no moment to send: the clip is fetched as a whole.
    async whole() {
      const { video } = this;
      const { seekable } = video;
      if (video.src.startsWith("blob:") || (seekable.length && seekable.end(0) > 0)) return;
      try {
        const answer = await fetch(video.currentSrc);
        this.reload(this.jumped, URL.createObjectURL(await answer.blob()));
      } catch {
        return; // it can be played from its start, no more
      }
    }

    // Load the clip anew, and go on at a time.
    reload(time, source = this.video.src) {
      const playing = !this.video.paused;
      this.video.src = source;
      this.jump(time);
      if (playing) this.start();
    }

    jump(time) {
      this.jumped = time;
      this.video.currentTime = time;
    }

    toggle() {
      const { video, rest } = this;
      if (!video.paused) {
        video.pause();
      } else if (STILL.matches) {
        this.go(rest ? this.steps[(rest.index + 1) % this.steps.length] : this.step, false);
      } else if (rest && this.done && rest.index + 1 >= this.steps.length) {
        this.go(this.steps[0], true);
      } else if (rest) {
        this.go(this.done ? this.steps[rest.index + 1] : rest, true);
      } else {
        this.wake("auto");
        this.start();
      }
    }

    start() {
      this.video.play().catch(() => this.changed()); // a browser may refuse; the button says so
    }

    next() {
      this.go(this.steps[Math.min(this.step.index + 1, this.steps.length - 1)], true);
    }

    previous() {
      const { step, video } = this;
      const again = !this.rest && video.currentTime - step.start > 1;
      this.go(this.steps[Math.max(step.index - (again ? 0 : 1), 0)], true);
    }

    // Load as much as is asked for; Chromium reads most of a clip for its metadata alone.
    wake(preload) {
      const { video } = this;
      if (video.error && preload === "auto") this.reload(video.currentTime); // the network may be back
      if (video.preload === "auto" || video.preload === preload) return;
      video.preload = preload;
      if (video.networkState === HTMLMediaElement.NETWORK_IDLE && !video.readyState) video.load();
    }
  }

  // A link to this page in another language leads to the step of the clip in sight.
  document.addEventListener(
    "click",
    event => {
      const link = event.target.closest?.("a[hreflang]");
      const middle = innerHeight / 2;
      const clip = [...(link ? document.querySelectorAll("torchreel-clip.tr-ready") : [])].find(each => {
        const { top, bottom } = each.getBoundingClientRect();
        return top < middle && middle < bottom;
      });
      if (clip?.place) link.hash = clip.place;
    },
    true,
  );

  async function loaded(track) {
    track.track.mode = "hidden";
    if (track.readyState === 2) return track.track;
    return new Promise((resolve, reject) => {
      track.addEventListener("load", () => resolve(track.track), { once: true });
      track.addEventListener("error", () => reject(new Error("a track did not load")), {
        once: true,
      });
    });
  }

  class Clip extends HTMLElement {
    connectedCallback() {
      this.leaving = new AbortController();
      this.video = this.querySelector("video");
      if (!this.video) return;
      this.figure = this.querySelector("figure");
      this.reel ||= new Reel(this.video, () => this.show());
      // A page that instant navigation brought was parsed under the address of the page before it.
      if (this.video.currentSrc && this.video.currentSrc !== this.video.src) this.video.load();
      this.reel.load().then(() => this.isConnected && this.begin());
    }

    disconnectedCallback() {
      this.leaving.abort();
      this.video?.pause();
      cancelAnimationFrame(this.ticking);
    }

    find(selector) {
      return this.querySelector(selector);
    }

    on(target, types, act, options) {
      const { signal } = this.leaving;
      for (const type of types.split(" "))
        target?.addEventListener(type, act, { signal, ...options });
    }

    begin() {
      const { video, reel } = this;
      const loops = this.dataset.show === "loop";
      video.controls = false;
      this.on(video, "play", () => this.playing());
      this.on(video, "pause seeked timeupdate loadedmetadata waiting playing", () => this.show());
      this.on(video, "ended", () => this.ended());
      this.on(video, "loadedmetadata", () => reel.whole());
      this.on(video, "error", () => this.show());
      this.on(video, "click", () => reel.toggle());
      this.on(this.figure, "pointerenter focusin", () => reel.wake("metadata"));
      this.on(this.find('[data-action="toggle"]'), "click", () => {
        this.chosen = true;
        reel.toggle();
      });
      this.classList.add("tr-ready");
      if (loops) this.loop();
      else this.control();
      this.keepRoom();
      this.show();
    }

    // A clip that plays by itself, over and over, while it is in sight and motion is welcome.
    loop() {
      const { video, reel } = this;
      const seen = new IntersectionObserver(([entry]) => {
        if (this.chosen) return;
        if (entry.isIntersecting && !STILL.matches) {
          reel.wake("auto");
          reel.start();
        } else video.pause();
      });
      // The film waits for the page: its pictures are what a reader sees first.
      if (document.readyState === "complete") seen.observe(this);
      else this.on(window, "load", () => seen.observe(this));
      this.on(STILL, "change", () => STILL.matches && video.pause());
      this.leaving.signal.addEventListener("abort", () => seen.disconnect());
    }

    control() {
      const { reel } = this;
      const act = {
        previous: () => reel.previous(),
        next: () => reel.next(),
        step: () => this.toggleStepping(),
        captions: () => this.turnCaptions(),
        screen: () => this.toggleScreen(),
        copy: () => this.copy(),
      };
      for (const [action, run] of Object.entries(act))
        this.on(this.find(`[data-action="${action}"]`), "click", run);
      this.on(this.find(".tr-speed"), "change", event => {
        this.video.playbackRate = this.video.defaultPlaybackRate = Number(event.target.value);
      });
      for (const { track } of this.querySelectorAll('track[kind="captions"]'))
        this.on(track, "cuechange", () => this.show());
      this.seeking();
      this.on(this.find(".tr-code"), "click", event => this.lineClicked(event));
      this.on(this.find(".tr-transcript"), "click", event => this.itemClicked(event));
      this.on(this.figure, "keydown", event => this.key(event));
      this.on(document, "fullscreenchange", () => this.show());
      this.on(window, "hashchange", () => this.linked());
      this.rove();
      this.linked();
      // On a phone the transcript is far below what plays.
      if (PHONE.matches && this.find(".tr-transcript")) this.turnCaptions();
    }

    // What changes while the clip plays has room for its largest state: nothing below it moves.
    keepRoom() {
      const room = new ResizeObserver(([{ contentRect }]) => {
        if (contentRect.width !== this.room) this.measure((this.room = contentRect.width));
      });
      room.observe(this);
      const heights = { "--tr-film": this.find(".tr-film"), "--tr-values": this.find(".tr-vars") };
      const tall = new ResizeObserver(() => {
        for (const [name, part] of Object.entries(heights))
          if (part) this.figure.style.setProperty(name, `${part.offsetHeight}px`);
      });
      for (const part of Object.values(heights)) if (part) tall.observe(part);
      this.leaving.signal.addEventListener("abort", () => {
        room.disconnect();
        tall.disconnect();
      });
    }

    measure() {
      const { steps } = this.reel;
      const cues = [...(this.captions?.track.cues || [])];
      reserve(this.find(".tr-vars"), steps.map(step => panel => fillValues(panel, step)));
      reserve(this.find(".tr-now-line"), steps.map(step => line => fillNow(line, step)));
      reserve(this.find(".tr-caption"), cues.map(cue => line => (line.textContent = textOf(cue))));
    }

    seeking() {
      const bar = this.find(".tr-seek input");
      let pressed = null;
      this.on(bar, "pointerdown", event => (pressed = event.clientX));
      this.on(bar, "input", () => this.reel.seek(bar.value * this.reel.duration));
      this.on(bar, "pointerup", event => {
        // A click means the step; dragging means the moment.
        const still = pressed !== null && Math.abs(event.clientX - pressed) < 4;
        pressed = null;
        const { left, width } = bar.getBoundingClientRect();
        const time = clamp((event.clientX - left) / width, 0, 1) * this.reel.duration;
        if (still) setTimeout(() => this.reel.go(this.reel.at(time), true));
      });
    }

    // Of the steps that show a statement, the one after the step on screen, else the first.
    stepOf(cues) {
      const own = this.reel.steps.filter(step => cues.includes(step.step));
      const now = this.started ? this.reel.step : null;
      const here = now && own.indexOf(now);
      return now && here >= 0 ? own[(here + 1) % own.length] : own[0];
    }

    // The cues of a line or an item; of a loop without cues of its own, those of its body.
    cuesOf(node) {
      const all = [node, ...node.querySelectorAll("[data-cues]")];
      const given = all.map(each => each.dataset.cues).find(Boolean) || "";
      return given.split(" ").filter(Boolean).map(Number);
    }

    lineClicked(event) {
      const line = event.target.closest(".tr-line[data-cues]");
      if (!line || String(getSelection())) return;
      const number = event.target.closest(".tr-number");
      if (number && (event.ctrlKey || event.metaKey || event.shiftKey)) return;
      event.preventDefault();
      event.stopPropagation(); // instant navigation would follow the link as well
      if (number) history.replaceState(history.state, "", number.getAttribute("href"));
      this.reel.go(this.stepOf(this.cuesOf(line)), true);
    }

    itemClicked(event) {
      const item = event.target.closest("li");
      if (!item || event.target.closest("a") || String(getSelection())) return;
      if (this.video.getBoundingClientRect().top < 0) this.video.scrollIntoView({ block: "nearest" });
      this.reel.go(this.stepOf(this.cuesOf(item)), true);
    }

    // The address names a step of this clip: rest on it.
    linked() {
      const item = named();
      if (!item || !this.contains(item) || item === this) return;
      const [first] = this.cuesOf(item);
      this.reel.go(this.reel.steps.find(step => step.step === first), false);
      requestAnimationFrame(() => this.scrollIntoView({ block: "start" }));
    }

    // One line number is in the tab order; arrows go through the others.
    rove(current) {
      const numbers = [...this.querySelectorAll("a.tr-number")];
      const kept = current || numbers[0];
      for (const number of numbers) number.tabIndex = number === kept ? 0 : -1;
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { target } = event;
      const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      // Material listens to single letters everywhere; inside of a figure they are the player's.
      if (pressed.length === 1) event.stopPropagation();
      const typed = target.closest("select, textarea, input:not([type=range])");
      const pressable = typed || target.closest("button, a, summary");
      const act = {
        n: () => this.reel.next(),
        p: () => this.reel.previous(),
        s: () => this.toggleStepping(),
        " ": pressable ? null : () => this.reel.toggle(),
      }[pressed];
      const moved = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, Home: -Infinity, End: Infinity }[pressed];
      if (moved && target.matches("a.tr-number, .tr-code pre")) this.moveLine(moved, event);
      else if (moved && target.matches("input[type=range]")) this.moveStep(moved, event);
      else if (pressed === " " && target.matches("a.tr-number")) this.press(event, () => target.click());
      else if (act && !typed) this.press(event, act);
    }

    press(event, act) {
      event.preventDefault();
      event.stopPropagation();
      act();
    }

    moveLine(moved, event) {
      if (event.target.matches("pre") && /Left|Right/.test(event.key)) return; // it may scroll
      const numbers = [...this.querySelectorAll("a.tr-number")];
      const from = numbers.indexOf(event.target);
      const number = numbers[clamp(from + moved, 0, numbers.length - 1)];
      this.press(event, () => {
        if (!number) return;
        this.rove(number);
        number.focus();
        const [first] = this.cuesOf(number.closest(".tr-line"));
        this.reel.go(this.reel.steps.find(step => step.step === first), false);
      });
    }

    moveStep(moved, event) {
      const { steps, step } = this.reel;
      const to = clamp((step?.index || 0) + moved, 0, steps.length - 1);
      this.press(event, () => this.reel.go(steps[to], false));
    }

    toggleStepping() {
      this.reel.stopAtLines(!this.reel.stepping);
      this.find('[data-action="step"]')?.setAttribute("aria-pressed", this.reel.stepping);
    }

    // No captions, then those of the page's language, then the others.
    turnCaptions() {
      const tracks = [...this.video.querySelectorAll('track[kind="captions"]')];
      const next = tracks[this.captions ? tracks.indexOf(this.captions) + 1 : 0] || null;
      this.captions = next;
      for (const each of tracks) each.track.mode = each === next ? "hidden" : "disabled";
      const shown = this.find('[data-action="captions"]');
      shown.dataset.language = next?.srclang || "";
      const name = shown.title;
      shown.setAttribute("aria-label", next ? `${name}: ${next.label}` : name);
      if (next) loaded(next).then(() => {
        this.show();
        this.measure();
      });
      this.show();
    }

    // The id of the step on screen: nothing where none was shown yet.
    get place() {
      return this.find(".tr-transcript .tr-now")?.id;
    }

    toggleScreen() {
      if (document.fullscreenElement) document.exitFullscreen();
      else if (this.figure.requestFullscreen) this.figure.requestFullscreen().catch(() => {});
      else this.video.webkitEnterFullscreen?.();
    }

    async copy() {
      const lines = [...this.querySelectorAll(".tr-text")].map(line => line.textContent);
      const button = this.find('[data-action="copy"]');
      try {
        const code = [...(button.dataset.above ? [button.dataset.above] : []), ...lines].join("\n");
        await navigator.clipboard.writeText(`${code}\n`);
      } catch {
        return;
      }
      this.turn(button, true);
      setTimeout(() => this.turn(button, false), 1500);
    }

    turn(button, other) {
      if (!button || button.classList.contains("tr-on") === other) return;
      const label = other ? button.dataset.other : button.dataset.label;
      button.classList.toggle("tr-on", other);
      button.setAttribute("aria-label", label);
      button.title = label;
    }

    playing() {
      this.reel.rest = null;
      for (const other of document.querySelectorAll("torchreel-clip.tr-ready video"))
        if (other !== this.video && !other.muted) other.pause();
      const bar = this.find(".tr-seek");
      const tick = () => {
        this.show();
        if (bar && !this.video.paused && this.isConnected) this.ticking = requestAnimationFrame(tick);
      };
      tick();
    }

    ended() {
      // Chromium says so as well of a clip that rests on its last frame and was not played.
      if (this.reel.rest && !this.reel.done) return;
      this.reel.rest = this.reel.steps.at(-1);
      this.reel.done = true;
      this.show();
      if (this.dataset.clip) progress.played(this.dataset.clip);
    }

    show() {
      const { video, reel } = this;
      const { step } = reel;
      if (!step) return;
      this.started ||= !video.paused || video.currentTime > 0 || Boolean(reel.rest);
      if (STILL.matches && reel.rest === reel.steps.at(-1) && this.dataset.clip && !this.told) {
        this.told = true;
        progress.played(this.dataset.clip);
      }
      this.turn(this.find('[data-action="toggle"]'), !video.paused);
      this.classList.toggle("tr-waiting", !video.paused && video.readyState < 3);
      this.showTime(step);
      if (!this.started || step === this.shown) return this.showCaption();
      this.shown = step;
      this.showLines(step);
      this.showItem(step);
      this.showCaption();
      const [values, now] = [this.find(".tr-vars"), this.find(".tr-now-line")];
      if (values) fillValues(values, step);
      if (now) fillNow(now, step);
    }

    showTime(step) {
      const bar = this.find(".tr-seek input");
      if (!bar) return;
      const { video, reel } = this;
      const done = reel.duration ? video.currentTime / reel.duration : 0;
      bar.value = done;
      this.style.setProperty("--tr-done", `${(done * 100).toFixed(2)}%`);
      this.find(".tr-time").textContent = `${clock(video.currentTime)} / ${clock(reel.duration)}`;
      bar.setAttribute("aria-valuetext", `${step.index + 1} / ${reel.steps.length}: ${step.title}`);
    }

    showLines(step) {
      const [first, last] = step.lines;
      const seen = new Set(this.reel.steps.slice(0, step.index + 1).flatMap(each => each.lines));
      for (const line of this.querySelectorAll(".tr-line")) {
        const number = Number(line.dataset.line);
        const now = first <= number && number <= last;
        line.classList.toggle("tr-now", now);
        line.classList.toggle("tr-later", Boolean(line.dataset.cues) && !seen.has(number) && !now);
        line.classList.toggle("tr-passed", now && !step.error); // a later lap may go through
        if (now) line.setAttribute("aria-current", "step");
        else line.removeAttribute("aria-current");
      }
      const note = this.find(`.tr-line[data-line="${last}"] .tr-shape`);
      const shapes = note && shapesOf(step, namesIn(note));
      if (shapes) note.textContent = shapes;
      this.showLine(this.find(".tr-line.tr-now"));
    }

    // In full screen the code may be longer than the screen: its own panel scrolls.
    showLine(line) {
      const panel = this.find(".tr-panel");
      if (!line || document.fullscreenElement !== this.figure) return;
      const { top, height } = panel.getBoundingClientRect();
      panel.scrollBy({ top: line.getBoundingClientRect().top - top - height / 3 });
    }

    showItem(step) {
      for (const item of this.querySelectorAll(".tr-transcript li")) {
        const own = (item.dataset.cues || "").split(" ").includes(String(step.step));
        item.classList.toggle("tr-now", own);
        if (own) item.setAttribute("aria-current", "step");
        else item.removeAttribute("aria-current");
      }
    }

    showCaption() {
      const line = this.find(".tr-caption");
      if (!line) return;
      const { error } = this.video;
      line.hidden = !this.captions && !error;
      const now = this.reel.step?.start;
      const cue = [...(this.captions?.track.cues || [])]
        .find(each => each.startTime <= now && now < each.endTime);
      const told = error ? line.dataset.failed : this.started ? "" : line.dataset.hint;
      const text = told || (cue ? textOf(cue) : "");
      if (line.textContent !== text) line.textContent = text;
      if (error) line.setAttribute("role", "alert");
      else line.removeAttribute("role");
      if (told) line.removeAttribute("lang");
      else line.lang = this.captions?.srclang || "";
    }

  }

  const textOf = cue => cue.getCueAsHTML().textContent;

  // Give a part of the page the height of its tallest state: `states` fill a copy with each.
  function reserve(part, states) {
    if (!part || part.hidden) return;
    const twin = part.cloneNode(true);
    const width = `${part.getBoundingClientRect().width}px`;
    Object.assign(twin.style, { position: "absolute", visibility: "hidden", width });
    twin.style.setProperty("--tr-room", "0");
    part.after(twin);
    const heights = [() => {}, ...states].map(fill => {
      fill(twin);
      return twin.getBoundingClientRect().height;
    });
    twin.remove();
    part.style.setProperty("--tr-room", `${Math.max(...heights)}px`);
  }

  function fillValues(panel, step) {
    const changed = step.vars.filter(each => step.changed.includes(each.name));
    const lit = [...step.changed, ...step.graded || []];
    const list = element("ul");
    for (const each of step.vars) list.append(chip(each, lit.includes(each.name), panel.dataset.shared));
    const parts = [element("p", "tr-label", panel.dataset.after)];
    for (const each of changed.slice(0, 2)) {
      if (each.data !== undefined) parts.push(grid(each.data));
    }
    if (step.printed) parts.push(printed(panel.dataset.prints, step.printed));
    panel.replaceChildren(...parts, list);
  }

  function fillNow(line, step) {
    line.querySelector("code").textContent = step.title;
    line.querySelector(".tr-shape").textContent = shapesOf(step);
  }

  const shape = sizes => `(${sizes.join(", ")}${sizes.length === 1 ? "," : ""})`;

  // Which tensors the note at the end of a line is of.
  function namesIn(note) {
    return note.textContent.split(" ").map(pair => pair.split("\u00a0")[0]);
  }

  function shapesOf(step, names = step.changed) {
    return step.vars
      .filter(each => step.changed.includes(each.name) && names.includes(each.name) && each.shape)
      .map(each => `${each.name} ${shape(each.shape)}`.replaceAll(" ", "\u00a0"))
      .join(" ");
  }

  function chip(variable, lit, shared) {
    const made = element("li", lit ? "tr-lit" : "");
    made.append(element("b", "", variable.name), " ");
    if (variable.text !== undefined) {
      made.append(element("span", "", variable.text));
      return made;
    }
    made.append(element("span", "", shape(variable.shape)), " ");
    const rest = [variable.dtype, variable.device].filter(Boolean).join(" ");
    made.append(element("small", "", rest));
    if (variable.sharing) {
      made.append(" ", element("small", "", `${shared} ${variable.sharing.join(", ")}`));
    }
    if (variable.grad !== undefined) {
      made.append(" ", element("em", "", `.grad ${listed(variable.grad)}`));
    }
    return made;
  }

  const listed = values => Array.isArray(values) ? `[${values.map(listed).join(", ")}]` : values;

  // Values as small cells: a row of the last dimension a line, the tables of a stack side by side.
  function grid(data) {
    const made = element("div", "tr-grid");
    made.setAttribute("aria-hidden", "true"); // the clip's text and the transcript say it
    made.append(cells(Array.isArray(data) ? data : [data]));
    return made;
  }

  function cells(values) {
    if (!Array.isArray(values)) return element("span", "", values);
    const [first] = values;
    const made = element("div", !Array.isArray(first) ? "tr-row" : Array.isArray(first[0]) ? "tr-pile" : "");
    made.append(...values.map(cells));
    return made;
  }

  function printed(label, text) {
    const made = element("p", "tr-printed");
    made.append(element("span", "", label), element("code", "", text));
    return made;
  }

  // A card: its clip moves while it is pointed at or holds the focus.
  class Card extends HTMLElement {
    connectedCallback() {
      this.leaving = new AbortController();
      const { signal } = this.leaving;
      const video = this.querySelector("video");
      const play = () => {
        if (!video || STILL.matches) return;
        video.play().then(() => this.classList.add("tr-moving"), () => {});
      };
      const stop = () => {
        video?.pause();
        this.classList.remove("tr-moving");
      };
      for (const type of ["pointerenter", "focusin"])
        this.addEventListener(type, play, { signal });
      for (const type of ["pointerleave", "focusout"])
        this.addEventListener(type, stop, { signal });
      document.addEventListener("torchreel:progress", () => this.show(), { signal });
      this.show();
    }

    disconnectedCallback() {
      this.leaving.abort();
      this.querySelector("video")?.pause();
    }

    show() {
      const done = this.querySelector(".tr-done");
      if (done) done.hidden = !progress.read().lessons.includes(this.dataset.lesson);
    }
  }

  // How many of the lessons on this page are done.
  class Progress extends HTMLElement {
    connectedCallback() {
      this.leaving = new AbortController();
      const { signal } = this.leaving;
      this.querySelector("button").addEventListener("click", () => progress.reset(), { signal });
      document.addEventListener("torchreel:progress", () => this.show(), { signal });
      this.show();
    }

    disconnectedCallback() {
      this.leaving.abort();
    }

    show() {
      const { lessons } = progress.read();
      const cards = [...document.querySelectorAll("torchreel-card")];
      const done = cards.filter(card => lessons.includes(card.dataset.lesson)).length;
      this.hidden = !cards.length;
      this.classList.toggle("tr-begun", Boolean(done));
      const words = this.dataset.words.replace("{done}", done).replace("{all}", cards.length);
      this.querySelector("span").textContent = words;
      const bar = this.querySelector("progress");
      bar.max = cards.length || 1;
      bar.value = done;
      bar.setAttribute("aria-label", words);
    }
  }

  customElements.define("torchreel-clip", Clip);
  customElements.define("torchreel-card", Card);
  customElements.define("torchreel-progress", Progress);
})();
