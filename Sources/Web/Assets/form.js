// What a field's value is found to be, said beside it while a form is filled in. The server's checker decides; without this module it
// does so when the form is sent.
const zh = document.documentElement.lang.startsWith("zh");

for (const form of document.querySelectorAll("form[data-check]")) {
  const controls = [...form.querySelectorAll("[name^=v_]")];
  const touched = new Set();
  const places = new Map();
  // What rows that were chosen gave to other fields, by the fields' names; asked anew when another row is chosen.
  const given = new Map();
  const giving = new Set((form.dataset.giving ?? "").split(" ").filter(Boolean));
  let isFresh = false;
  const sent = ({ name, value }) => (isFresh && value === given.get(name.slice(2)) ? "" : value);
  let timer = 0;
  let running = null;

  for (const control of controls) {
    const place = document.createElement("span");
    place.id = `finding_${control.name}`;
    place.className = "finding";
    place.setAttribute("aria-live", "polite");
    (control.closest(".field") ?? control.parentElement).append(place);
    control.setAttribute("aria-describedby", place.id);
    places.set(control.name.slice(2), { control, place });
  }

  const say = (name, finding, explained) => {
    const { control, place } = places.get(name);
    const said = finding ? finding.message + (finding.suggestion ? (zh ? "。" : ". ") + finding.suggestion : "") : explained;
    place.className = `finding ${finding ? (finding.severity === "error" ? "poor" : "fair") : ""}`;
    if (place.textContent !== said) place.textContent = said;
    if (finding?.severity === "error") control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };

  // Fields that take what the chosen row has; what somebody typed stays.
  const fill = (filled) => {
    for (const { control } of places.values()) {
      const name = control.name.slice(2);
      const isOwn = control.value !== "" && control.value !== given.get(name);
      if (isOwn) continue;
      if (filled[name] === undefined && !given.has(name)) continue;
      control.value = filled[name] ?? "";
      if (filled[name] === undefined) given.delete(name);
      else given.set(name, control.value);
    }
  };

  const check = async () => {
    running?.abort();
    running = new AbortController();
    const body = {
      step: form.dataset.step, values: Object.fromEntries(controls.map((each) => [each.name.slice(2), sent(each)])),
      ...(form.dataset.record ? { record: Number(form.dataset.record) } : {}),
    };
    try {
      const answer = await fetch(form.dataset.check, {
        method: "POST", signal: running.signal, body: JSON.stringify(body),
        headers: { "Content-Type": "application/json", "X-CSRF-Token": form.elements._csrf.value, Accept: "application/json" },
      });
      if (!answer.ok) return;
      const { findings, explained, filled } = await answer.json();
      if (isFresh) fill(filled ?? {});
      isFresh = false;
      for (const name of touched) {
        const mine = findings.filter((finding) => finding.field === name);
        say(name, mine.find((finding) => finding.severity === "error") ?? mine[0], explained[name] ?? "");
      }
    } catch {
      // The server is away or was asked anew: the form is checked when it is sent.
    }
  };

  const left = (event) => {
    const name = event.target.name?.slice(2);
    // A field that was only passed by is not spoken of.
    if (!places.has(name) || (!event.target.value && !touched.has(name))) return;
    touched.add(name);
    if (event.type === "change" && giving.has(name)) isFresh = true;
    clearTimeout(timer);
    timer = setTimeout(check, 200);
  };
  form.addEventListener("focusout", left);
  form.addEventListener("change", left);
  if (form.hasAttribute("data-refused")) {
    for (const name of places.keys()) touched.add(name);
    check();
  }

  // What a camera reads from a QR code: where the browser can, a picture is taken and its code stands in the field.
  for (const name of (form.dataset.scan ?? "").split(" ")) {
    const control = places.get(name)?.control;
    if (!control || !("BarcodeDetector" in window)) continue;
    const picture = Object.assign(document.createElement("input"), { type: "file", accept: "image/*", hidden: true });
    picture.setAttribute("capture", "environment");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: zh ? "扫码" : "Scan" });
    const told = Object.assign(document.createElement("span"), { className: "hint" });
    told.setAttribute("role", "status");
    control.after(button, picture, told);
    button.addEventListener("click", () => picture.click());
    picture.addEventListener("change", async () => {
      const none = zh ? "照片中没有二维码，请重拍。" : "There is no QR code in the picture; take another.";
      try {
        const codes = await new BarcodeDetector({ formats: ["qr_code"] }).detect(await createImageBitmap(picture.files[0]));
        told.textContent = codes.length ? "" : none;
        if (codes.length) control.value = codes[0].rawValue;
      } catch { told.textContent = none; }
      picture.value = "";
    });
  }

  // A step that asks for a place takes this device's, where its owner says so.
  const [longitude, latitude] = [form.dataset.longitude, form.dataset.latitude].map((name) => places.get(name)?.control);
  if (longitude && latitude && navigator.geolocation) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: zh ? "填入本机位置" : "Use this device's position" });
    const told = Object.assign(document.createElement("span"), { className: "hint" });
    told.setAttribute("role", "status");
    const row = document.createElement("p");
    row.className = "actions";
    row.append(button, told);
    (form.querySelector(".grid") ?? form).after(row);
    button.addEventListener("click", () => {
      told.textContent = zh ? "正在定位……" : "Finding the position…";
      navigator.geolocation.getCurrentPosition(
        ({ coords }) => {
          longitude.value = coords.longitude.toFixed(6);
          latitude.value = coords.latitude.toFixed(6);
          told.textContent = `±${Math.round(coords.accuracy)} m`;
          for (const name of [form.dataset.longitude, form.dataset.latitude]) touched.add(name);
          check();
        },
        () => { told.textContent = zh ? "无法定位。" : "No position was found."; },
        { enableHighAccuracy: true, timeout: 10000 },
      );
    });
  }
}
