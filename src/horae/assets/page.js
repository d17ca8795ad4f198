// Draws every plot with the page's own colors, again when the reader turns light into dark or the phone on its side.
(function () {
  "use strict";
  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }
  function themed(layout) {
    var look = JSON.parse(JSON.stringify(layout));
    look.paper_bgcolor = look.plot_bgcolor = "rgba(0,0,0,0)";
    look.font = Object.assign({}, look.font, {
      family: getComputedStyle(document.body).fontFamily, color: color("--quiet")
    });
    look.hoverlabel = Object.assign({ bgcolor: color("--panel"), bordercolor: color("--line") }, look.hoverlabel);
    look.hoverlabel.font = Object.assign({ color: color("--ink") }, look.hoverlabel.font);
    Object.keys(look).forEach(function (key) {
      if (/^[xy]axis/.test(key)) {
        look[key].gridcolor = look[key].linecolor = look[key].zerolinecolor = color("--line");
      }
    });
    return look;
  }
  function draw() {
    document.querySelectorAll("figure > .plot").forEach(function (place) {
      var spec = JSON.parse(place.parentNode.querySelector("script.spec").textContent);
      Plotly.react(place, spec.data, themed(spec.layout), { displayModeBar: false, displaylogo: false });
    });
  }
  draw();
  var widths = new ResizeObserver(function (entries) {
    entries.forEach(function (entry) { Plotly.Plots.resize(entry.target); });
  });
  document.querySelectorAll("figure > .plot").forEach(function (place) { widths.observe(place); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
