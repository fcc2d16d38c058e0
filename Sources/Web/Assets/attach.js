// Files of a record: photos are made smaller, hashed and located before they leave. Without this module the form sends one file as it is.
const zh = document.documentElement.lang.startsWith("zh");
const text = (chinese, english) => (zh ? chinese : english);
const LONGEST = 2000;
const QUALITY = 0.85;

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// A photo as JPEG whose longest side is 2,000 pixels, upright; what no browser can draw stays as it is.
async function smaller(file) {
  if (!/^image\/(jpeg|png|webp|heic|heif)$/.test(file.type)) return file;
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file;
  }
  const scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
  if (scale === 1 && file.type === "image/jpeg" && file.size < 1 << 20) return file;
  const canvas = make("canvas", { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
  return blob && blob.size < file.size ? new File([blob], file.name.replace(/\.[^.]*$/, "") + ".jpg", { type: "image/jpeg" }) : file;
}

// When a photo was taken, as its EXIF says (DateTimeOriginal); a photo that is made smaller loses its EXIF.
async function taken(file) {
  if (file.type !== "image/jpeg") return "";
  const view = new DataView(await file.slice(0, 1 << 18).arrayBuffer());
  try {
    let at = 2;
    while (view.getUint16(at) !== 0xffe1 || view.getUint32(at + 4) !== 0x45786966) {
      if (view.getUint8(at) !== 0xff || view.getUint16(at) === 0xffda) return "";
      at += 2 + view.getUint16(at + 2);
    }
    const start = at + 10;
    const little = view.getUint16(start) === 0x4949;
    const entry = (tag, directory) => {
      for (let index = 0; index < view.getUint16(start + directory, little); index += 1) {
        const place = start + directory + 2 + 12 * index;
        if (view.getUint16(place, little) === tag) return view.getUint32(place + 8, little);
      }
      return 0;
    };
    const text = entry(0x9003, entry(0x8769, view.getUint32(start + 4, little)));
    return text ? String.fromCharCode(...new Uint8Array(view.buffer, start + text, 19)) : "";
  } catch {
    return "";
  }
}

async function digest(file) {
  if (!globalThis.crypto?.subtle || file.size > 256 << 20) return "";
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...bytes.slice(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const size = (bytes) => (bytes < 1 << 20 ? `${Math.max(1, bytes >> 10)} KB` : `${(bytes / (1 << 20)).toFixed(1)} MB`);

function send(form, file, place, moment, progress) {
  return new Promise((done, failed) => {
    const body = new FormData();
    body.append("_csrf", form.elements._csrf.value);
    body.append("kind", form.elements.kind.value);
    body.append("longitude", place ? place.longitude.toFixed(6) : "");
    body.append("latitude", place ? place.latitude.toFixed(6) : "");
    body.append("taken", moment);
    body.append("file", file);
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (step) => {
      if (step.lengthComputable) progress((100 * step.loaded) / step.total);
    });
    request.addEventListener("load", () => {
      if (request.status < 400) return done();
      let said = "";
      try {
        const problem = JSON.parse(request.responseText);
        said = [problem.title, problem.hint].filter(Boolean).join(" ");
      } catch {
        said = String(request.status);
      }
      failed(new Error(said));
    });
    request.addEventListener("error", () => failed(new Error(text("网络中断", "the connection broke"))));
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
  });
}

for (const form of document.querySelectorAll("form[data-photo]")) {
  const input = form.elements.file;
  const button = form.querySelector("button");
  input.multiple = true;
  let place = null;

  const whole = make("input", { type: "checkbox", name: "whole" });
  const located = make("input", { type: "checkbox", name: "located" });
  const where = make("span", { className: "hint" });
  where.setAttribute("role", "status");
  const options = make("div", { className: "options" });
  options.append(
    make("label", { className: "check" }, whole, make("span", {}, text("原图(照片不缩小)", "Photos as they are (not made smaller)"))),
    make("label", { className: "check" }, located, make("span", {}, text("附上拍摄地点(本机位置)", "Add the place (this device's position)"))),
    where,
  );
  const list = make("ul", { className: "uploads" });
  list.setAttribute("aria-live", "polite");
  button.closest("div").before(options, list);

  const locate = () => new Promise((done) => {
    if (!located.checked || !navigator.geolocation) return done(null);
    where.textContent = text("正在定位……", "Finding the position…");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        where.textContent = `${coords.longitude.toFixed(5)}, ${coords.latitude.toFixed(5)} (±${Math.round(coords.accuracy)} m)`;
        done(coords);
      },
      () => {
        where.textContent = text("无法定位，文件将不带地点上传。", "No position was found: files are sent without a place.");
        done(null);
      },
      { enableHighAccuracy: true, timeout: 10000, maximumAge: 60000 },
    );
  });
  located.addEventListener("change", async () => {
    where.textContent = "";
    place = await locate();
  });

  // One file on its way; a failed one keeps a button that tries again.
  async function upload(file) {
    const state = make("span", { className: "muted", textContent: text("准备中", "being prepared") });
    const bar = make("progress", { max: 100, value: 0 });
    bar.setAttribute("aria-label", file.name);
    const item = make("li", {}, make("b", { textContent: file.name }), " ", state, bar);
    list.append(item);
    const ready = whole.checked ? file : await smaller(file);
    const moment = await taken(file);
    const short = await digest(ready);
    const about = `${size(ready.size)}${ready === file ? "" : text(`(原 ${size(file.size)})`, ` (was ${size(file.size)})`)}${short ? ` · SHA-256 ${short}…` : ""}`;
    const attempt = async () => {
      bar.hidden = false;
      state.className = "muted";
      state.textContent = about;
      try {
        await send(form, ready, place, moment, (percent) => { bar.value = percent; });
        state.textContent = `${about} · ${text("已上传", "sent")}`;
        bar.hidden = true;
        return true;
      } catch (error) {
        bar.hidden = true;
        state.className = "poor-text";
        state.textContent = `${text("未上传：", "Not sent: ")}${error.message}`;
        const again = make("button", { type: "button", className: "quiet", textContent: text("重试", "Try again") });
        item.append(" ", again);
        again.addEventListener("click", async () => {
          again.remove();
          if ((await attempt()) && !list.querySelector("button")) location.reload();
        });
        return false;
      }
    };
    return attempt();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const files = [...input.files];
    if (!files.length) return;
    button.disabled = true;
    list.replaceChildren();
    if (located.checked && !place) place = await locate();
    let all = true;
    for (const file of files) all = (await upload(file)) && all;
    button.disabled = false;
    if (all) location.reload();
  });
}
