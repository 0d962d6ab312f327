// What pages gain where scripts run. Everything works without it.
const doc = document, root = doc.documentElement, main = doc.querySelector("main"), act = doc.getElementById("act");
const $ = (what, where = doc) => where.querySelector(what), all = (what, where = doc) => [...where.querySelectorAll(what)];
const make = (html) => new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
const words = (tag, kind, text) => { const made = doc.createElement(tag); made.className = kind; made.textContent = text; return made; };
const same = (id) => all(`.post[data-post="${+id ? id : 0}"]`);
const toast = (text) => { const p = words("p", "toast", text); p.role = "alert"; doc.body.append(p); setTimeout(() => p.remove(), 6e3); };
root.classList.add("js");

// Times
const ago = (then) => {
  const s = (Date.now() - then) / 1000;
  for (const [most, unit, letter] of [[60, 0], [3600, 60, "m"], [86400, 3600, "h"], [604800, 86400, "d"]]) if (s < most) return unit ? Math.floor(s / unit) + letter : "now";
  return then.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: then.getFullYear() === new Date().getFullYear() ? undefined : "numeric" });
};
const times = () => all("time[data-ago]").forEach((t) => { const text = ago(new Date(t.dateTime)); if (t.textContent !== text) t.textContent = text; });
times(); setInterval(times, 6e4);
for (const t of all("time[data-whole]")) t.textContent = new Date(t.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

// Posts that arrive
const page = main?.dataset.live && new URL(main.dataset.live, location), on = page && page.searchParams.get("on");
const feed = $(".stream .feed"), pill = words("button", "pill", ""), status = words("p", "visually-hidden", "");
let waiting = [];
status.role = "status"; pill.hidden = true;
(feed ?? $(".notes, .empty"))?.before(pill); main?.append(status);
const flush = (asked) => {
  const height = root.scrollHeight, top = scrollY;
  for (const post of waiting) { post.classList.add("new"); feed.prepend(post); }
  waiting = []; pill.hidden = true; $(".empty")?.remove(); times();
  if (asked) { scrollTo(0, 0); select(feed.firstElementChild); } else if (top) scrollTo(0, top + root.scrollHeight - height);
};
pill.onclick = () => feed ? flush(true) : location.reload();
const tell = (text) => { status.textContent = pill.textContent = text; pill.hidden = false; };
const arrive = (html) => {
  const post = make(html);
  if (!post || doc.getElementById(post.id) || waiting.some((other) => other.id === post.id)) return;
  if (on === "thread") return answer(post);
  waiting.push(post);
  if (scrollY < 8 && !doc.activeElement?.closest(".feed, .composer")) flush();
  else tell(waiting.length === 1 ? "1 new post" : waiting.length + " new posts");
};
const answer = (post) => {
  const [parent] = same(post.dataset.parent), depth = +(parent?.dataset.depth || 0);
  if (!parent || parent.matches(".ancestor")) return;
  post.dataset.depth = depth + 1;
  post.classList.add("new", "depth-" + Math.min(depth + 1, 4));
  $(".context", post)?.remove();
  let last = parent;
  while (depth && last.nextElementSibling?.dataset.depth > depth) last = last.nextElementSibling;
  depth ? last.after(post) : $(".replies").append(post);
  status.textContent = "New reply. " + post.getAttribute("aria-label");
};
const edit = (html) => { const post = make(html); for (const old of same(post?.dataset.post)) $(".body", old).replaceWith($(".body", post).cloneNode(true)); };
const gone = (id) => { for (const old of [...same(id), ...all("#post-" + +id)]) old.replaceWith(words("p", "gone", "This post was deleted.")); };
const badge = (count) => {
  const box = $(".badge");
  box.hidden = count === "0"; $("[data-unread]").textContent = count;
  if (+count && location.pathname === "/notifications") tell("Show what is new");
};
let stream;
const connect = () => {
  if (!page || stream || doc.hidden) return;
  stream = new EventSource(page);
  for (const [name, hear] of Object.entries({ post: arrive, edit, gone, badge })) stream.addEventListener(name, (e) => { page.searchParams.set("after", e.lastEventId); hear(e.data); });
  stream.onerror = () => { if (stream?.readyState === 2) { stream = null; setTimeout(connect, 15e3); } };
};
const leave = () => { stream?.close(); stream = null; };
doc.addEventListener("visibilitychange", () => doc.hidden ? leave() : connect());
addEventListener("pagehide", leave); addEventListener("pageshow", connect);
connect();

// Buttons without a new page
act?.addEventListener("submit", async (e) => {
  const button = e.submitter, post = button?.closest(".post");
  if (!post || !/(favourite|boost|bookmark|vote)$/.test(button.formAction)) return;
  e.preventDefault();
  if (button.dataset.busy) return;
  button.dataset.busy = 1;
  const body = new URLSearchParams(new FormData(act)), hadFocus = doc.activeElement === button;
  body.set("part", "post");
  try {
    const reply = await fetch(button.formAction, { method: "POST", body });
    if (!reply.ok || reply.redirected) throw 0;
    const fresh = make(await reply.text());
    for (const old of same(post.dataset.post)) for (const part of [".actions", ".poll"]) {
      const to = $(part, fresh)?.cloneNode(true);
      if (!to) continue;
      for (const each of all("[name=at]", to)) each.value = old.id;
      $(part, old).replaceWith(to);
    }
    const again = $(".actions ." + button.classList[0], post);
    again?.classList.add("acted");
    if (hadFocus) again?.focus();
  } catch { delete button.dataset.busy; toast("This did not work. Try again."); }
});

// Writing
const seen = (text) => [...new Intl.Segmenter().segment(text)].length;
const uploads = all(".upload"), empty = (box) => !$("[type=file]", box).files.length;
const steps = () => uploads.forEach((box, i) => box.classList.toggle("later", i > 0 && empty(uploads[i - 1]) && empty(box)));
steps();
doc.addEventListener("input", ({ target }) => {
  const area = target.form && $("#text", target.form), box = area && $(".counter", area.form);
  if (!box) return;
  const text = area.value.replace(/https?:\/\/[^\s<]+/g, "x".repeat(23)).replace(/(@\w+)@[\w.-]+\w/g, "$1");
  const left = area.dataset.limit - seen(text) - seen($("#spoiler").value);
  box.textContent = left <= 50 ? left : ""; box.classList.toggle("over", left < 0);
});
doc.addEventListener("change", ({ target }) => {
  const box = target.closest(".upload"), file = target.files?.[0];
  if (!box || !target.files) return;
  $("img", box)?.remove();
  if (file) { const img = new Image(); img.src = URL.createObjectURL(file); img.alt = "Preview"; target.after(img); }
  steps();
});

// Pointer and keys
const close = (menu) => { menu.open = false; };
doc.addEventListener("click", ({ target }) => {
  all(".more[open]").filter((menu) => !menu.contains(target)).forEach(close);
  const post = target.closest(".post[data-href]");
  if (post && !target.closest("a, button, summary, label, input, .alt") && !String(getSelection())) location = post.dataset.href;
});
const select = (post) => { if (post) { post.tabIndex = -1; post.focus({ preventScroll: true }); post.scrollIntoView(); } };
const KEYS = { f: ".fave", b: ".boost", d: ".bookmark", r: ".reply" };
doc.addEventListener("keydown", (e) => {
  const { key, target } = e, form = target.closest(".composer"), held = e.ctrlKey || e.metaKey;
  if (key === "Enter" && held && form) return form.requestSubmit();
  if (key === "Escape") return all(".more[open]").forEach((menu) => { close(menu); $("summary", menu).focus(); });
  if (held || e.altKey || root.dataset.keys === "off" || target.closest("input, textarea, select")) return;
  const posts = all(".post"), now = doc.activeElement.closest(".post"), at = posts.indexOf(now);
  if (key === "j") select(posts[at + 1]);
  else if (key === "k") select(posts[Math.max(at - 1, 0)]);
  else if (key === "." && !pill.hidden) pill.click();
  else if (key === "n") $("[data-key=compose]")?.click();
  else if (key === "/") $("#q, #side-search")?.focus();
  else if (key === "Enter" && target === now) location = now.dataset.href;
  else if (KEYS[key] && now) $(KEYS[key], now)?.click();
  else return;
  e.preventDefault();
});
