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
