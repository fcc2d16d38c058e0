// Points of a resource on a map without any foreign tiles: a graticule and the data.
const holder = document.getElementById("map");

async function library() {
  if (!globalThis.maplibregl) {
    await new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = "/vendor/maplibre-gl.js";
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    });
  }
  return globalThis.maplibregl;
}

// Lines of longitude and latitude around a box, as close as the box is small.
function graticule(box) {
  const span = Math.max(box[2] - box[0], box[3] - box[1]);
  const step = [10, 5, 1, 0.5, 0.1, 0.05].find((size) => span / size >= 3) ?? 0.05;
  const from = (low) => Math.floor((low - span * 4) / step) * step;
  const lines = [];
  for (let lon = Math.max(-180, from(box[0])); lon <= Math.min(180, box[2] + span * 4); lon += step) lines.push([[lon, -85], [lon, 85]]);
  for (let lat = Math.max(-85, from(box[1])); lat <= Math.min(85, box[3] + span * 4); lat += step) lines.push([[-180, lat], [180, lat]]);
  return { type: "Feature", properties: {}, geometry: { type: "MultiLineString", coordinates: lines } };
}

function bounds(features) {
  let box = [180, 90, -180, -90];
  for (const feature of features) {
    if (feature.geometry?.type !== "Point") continue;
    const [x, y] = feature.geometry.coordinates;
    if (Math.abs(x) > 180 || Math.abs(y) > 85) continue;
    box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)];
  }
  return box[0] <= box[2] ? box : [73, 18, 135, 54];
}

// The rows of a table on the page: where each is, its colour, its link and what it says.
function listed(rows) {
  const features = [...document.querySelectorAll(rows)].map((row) => ({
    type: "Feature", geometry: { type: "Point", coordinates: [Number(row.dataset.x), Number(row.dataset.y)] },
    properties: { colour: row.dataset.colour, href: row.querySelector("a")?.getAttribute("href") ?? "", words: JSON.stringify([...row.cells].slice(0, -1).map((cell) => cell.textContent.trim())) },
  }));
  return { type: "FeatureCollection", features };
}

// What a point of the table says, with the way to its record.
function shownAt(properties) {
  const [title, ...rest] = JSON.parse(properties.words);
  const box = document.createElement("div");
  const link = document.createElement("a");
  link.href = properties.href;
  link.textContent = title;
  box.append(link);
  for (const words of rest.filter(Boolean)) {
    const line = document.createElement("div");
    line.textContent = words;
    box.append(line);
  }
  return box;
}

try {
  const { tiles: tiled, rows, source: from } = holder.dataset;
  const [maplibregl, data] = await Promise.all([library(), rows ? listed(rows) : fetch(tiled ?? from).then((r) => r.json())]);
  const style = getComputedStyle(document.documentElement);
  const box = tiled ? (data.bounds ?? [73, 18, 135, 54]) : bounds(data.features);
  // Tiles come from where the page came from, whatever address the node tells others.
  const here = (address) => location.origin + new URL(address.replace(/[{}]/g, (c) => (c === "{" ? "%7B" : "%7D"))).pathname.replace(/%7B/g, "{").replace(/%7D/g, "}");
  const source = tiled ? { type: "vector", tiles: data.tiles.map(here), maxzoom: data.maxzoom } : { type: "geojson", data };
  const map = new maplibregl.Map({
    container: holder,
    attributionControl: false,
    style: {
      version: 8,
      sources: { grid: { type: "geojson", data: graticule(box) }, data: source },
      layers: [
        { id: "ground", type: "background", paint: { "background-color": style.getPropertyValue("--ground").trim() } },
        { id: "grid", type: "line", source: "grid", paint: { "line-color": style.getPropertyValue("--muted").trim(), "line-opacity": 0.35, "line-width": 1 } },
        {
          id: "points", type: "circle", source: "data", ...(tiled ? { "source-layer": "rows" } : {}),
          paint: { "circle-radius": ["interpolate", ["linear"], ["zoom"], 3, 2.5, 12, 6], "circle-color": rows ? ["get", "colour"] : style.getPropertyValue("--accent").trim(), "circle-opacity": rows ? 0.9 : 0.75, ...(rows ? { "circle-radius": 7, "circle-stroke-width": 1.5, "circle-stroke-color": "#fff" } : {}) },
        },
      ],
    },
    bounds: box,
    fitBoundsOptions: { padding: 40, maxZoom: 11 },
  });
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }));
  map.addControl(new maplibregl.ScaleControl());
  map.on("click", "points", (event) => {
    const properties = event.features[0].properties;
    if (rows) {
      new maplibregl.Popup().setLngLat(event.features[0].geometry.coordinates).setDOMContent(shownAt(properties)).addTo(map);
      return;
    }
    const list = document.createElement("dl");
    for (const [name, value] of Object.entries(properties).slice(0, 8)) {
      const term = document.createElement("dt");
      term.textContent = name;
      const text = document.createElement("dd");
      text.textContent = String(value);
      list.append(term, text);
    }
    new maplibregl.Popup().setLngLat(event.lngLat).setDOMContent(list).addTo(map);
  });
  // The sheet of styles may come after the script: the size is taken when everything is there.
  const fit = () => {
    map.resize();
    map.fitBounds(box, { padding: 40, maxZoom: 11, animate: false });
  };
  map.once("load", fit);
  map.once("idle", () => { holder.dataset.ready = "true"; });
} catch {
  holder.textContent = document.documentElement.lang.startsWith("zh") ? "地图无法显示。" : "The map cannot be shown.";
}
