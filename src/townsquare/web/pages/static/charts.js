// What charts gain where scripts run: a cursor that reads values, by keyboard, mouse and finger; tiles that keep up.
const SVG = "http://www.w3.org/2000/svg";
const put = (shape, named) => { for (const [name, value] of Object.entries(named)) shape.setAttribute(name, value); };

// The table beside each chart holds what the cursor reads, so that both say the same.
const numbers = (chart) => {
  const [head, ...rows] = [...chart.querySelectorAll(".numbers tr")].map((row) => [...row.children].map((cell) => cell.textContent));
  return rows.map(([name, ...values]) => name + ": " + values.map((value, n) => {
    const said = value === "–" ? "not known" : value;
    return values.length > 1 ? head[n + 1] + " " + said : said + (head[1].match(/\((.+)\)$/)?.[1].replace(/^/, " ") ?? "");
  }).join(", "));
};

const read = (canvas) => {
  const chart = canvas.closest(".chart"), svg = canvas.querySelector(".plot"), output = chart.querySelector(".reading");
  const lines = numbers(chart), size = lines.length, across = +canvas.dataset.columns, down = size / across, first = output.textContent;
  if (!size) return;
  const ground = svg.querySelector(".ground"), reader = document.createElement("input");
  const cursor = svg.appendChild(document.createElementNS(SVG, ground ? "line" : "rect"));
  put(cursor, { class: "cursor", visibility: "hidden" });
  put(reader, { type: "range", class: "reader", min: 0, max: size - 1, step: 1, "aria-label": "Values: " + chart.querySelector("h3").textContent });
  reader.value = size - 1;
  const show = (at) => {
    reader.value = at;
    reader.setAttribute("aria-valuetext", lines[at]);
    output.textContent = lines[at];
    cursor.setAttribute("visibility", "visible");
    if (ground) {
      const x = (at + .5) / size * 100 + "%";
      put(cursor, { x1: x, x2: x, y1: 4, y2: 200 });
    } else {
      put(cursor, cell(at));
    }
  };
  const high = +(svg.querySelector(".cell")?.getAttribute("height") ?? 0);
  const cell = (at) => ({ x: at % across / across * 100 + "%", y: 4 + Math.floor(at / across) * high, width: 100 / across + "%", height: high });
  const hide = () => { output.textContent = first; cursor.setAttribute("visibility", "hidden"); };
  const point = (event) => {
    const box = canvas.getBoundingClientRect(), part = (value, length, count) => Math.max(0, Math.min(count - 1, Math.floor(value / length * count)));
    const column = part(event.clientX - box.left, box.width, across), row = down > 1 ? part(event.clientY - box.top - 4, high * down, down) : 0;
    show(row * across + column);
  };
  reader.addEventListener("keydown", (event) => {
    const step = { ArrowUp: down > 1 ? -across : 1, ArrowDown: down > 1 ? across : -1, PageUp: 7, PageDown: -7 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show(Math.max(0, Math.min(size - 1, +reader.value + step)));
  });
  reader.addEventListener("input", () => show(+reader.value));
  reader.addEventListener("focus", () => { if (reader.matches(":focus-visible")) show(+reader.value); });
  reader.addEventListener("blur", hide);
  reader.addEventListener("pointerdown", (event) => { event.preventDefault(); reader.focus(); point(event); });
  reader.addEventListener("pointermove", point);
  reader.addEventListener("pointerleave", () => { if (document.activeElement !== reader) hide(); });
  canvas.append(reader);
};
document.querySelectorAll(".canvas").forEach(read);

// The reader's own time zone, one click away.
const zone = document.querySelector(".ranges [name=zone]"), own = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && own && zone.value !== own) {
  const link = document.createElement("a"), to = new URL(location);
  to.searchParams.set("zone", own);
  link.href = to; link.textContent = "In " + own;
  document.querySelector(".ranges nav").append(link);
}

// Tiles: asked for again while somebody looks.
const tiles = document.querySelector("[data-again]");
const renew = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(tiles.dataset.again, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
    tiles.replaceChildren(...fresh.childNodes);
  } catch { /* the next time */ }
};
if (tiles) setInterval(renew, 1e4);
