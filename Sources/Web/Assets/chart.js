// The history of a resource's marks as a line. The numbers stand on the page as text too.
async function library() {
  if (!globalThis.Chart) {
    await new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = "/vendor/chart.js";
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    });
  }
  return globalThis.Chart;
}

for (const canvas of document.querySelectorAll("canvas[data-marks]")) {
  const marks = JSON.parse(canvas.dataset.marks);
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  try {
    const Chart = await library();
    new Chart(canvas, {
      type: "line",
      data: {
        labels: marks.map((mark) => mark.label),
        datasets: [{ data: marks.map((mark) => mark.total), borderColor: color("--accent"), backgroundColor: color("--accent"), tension: 0.2, pointRadius: 3, clip: false }],
      },
      options: {
        animation: false,
        plugins: { legend: { display: false } },
        scales: {
          x: { ticks: { color: color("--muted") }, grid: { color: color("--line") } },
          y: { suggestedMin: 80, max: 100, ticks: { color: color("--muted") }, grid: { color: color("--line") } },
        },
      },
    });
    canvas.dataset.ready = "true";
  } catch {
    canvas.remove();
  }
}
