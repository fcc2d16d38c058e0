// Uploads with progress. Without this module the form works as any form.
for (const form of document.querySelectorAll("form[data-upload]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const bar = form.querySelector("progress");
    const button = form.querySelector("button");
    const request = new XMLHttpRequest();
    bar.hidden = false;
    button.disabled = true;
    request.upload.addEventListener("progress", (step) => {
      if (step.lengthComputable) bar.value = (100 * step.loaded) / step.total;
    });
    request.addEventListener("load", () => {
      if (request.status < 400) {
        location.href = request.responseURL;
      } else {
        document.open();
        document.write(request.responseText);
        document.close();
      }
    });
    request.addEventListener("error", () => {
      button.disabled = false;
      bar.hidden = true;
    });
    request.open("POST", form.action);
    request.send(new FormData(form));
  });
}

// Choosing all rows of a page. Without this module each row is chosen by itself.
for (const all of document.querySelectorAll("[data-all]")) {
  const boxes = all.closest("form")?.querySelectorAll("tbody input[type=checkbox]") ?? [];
  all.hidden = boxes.length < 2;
  all.querySelector("input").addEventListener("change", (event) => {
    for (const box of boxes) box.checked = event.target.checked;
  });
}

// Tables by keyboard: rows with the arrows or j and k, Enter opens, x chooses, / goes to the search field.
for (const holder of document.querySelectorAll("[data-keys]")) {
  const rows = [...holder.querySelectorAll("tbody tr")];
  let at = -1;
  const go = (step) => {
    at = Math.max(0, Math.min(rows.length - 1, at + step));
    for (const row of rows) row.classList.remove("here");
    rows[at].classList.add("here");
    rows[at].querySelector("a")?.focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const acts = {
      j: () => go(1), ArrowDown: () => go(1), k: () => go(-1), ArrowUp: () => go(-1),
      x: () => rows[at]?.querySelector("input[type=checkbox]")?.click(),
      "/": () => document.querySelector("form.filters input[type=search]")?.focus(),
    };
    if (!rows.length || !acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  });
}
