"use strict";
(function () {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const base = {
    margin: { l: 48, r: 12, t: 8, b: 40 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: "#1c2430" },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    hovermode: "closest",
    modebar: { bgcolor: "rgba(255,255,255,0.8)", color: "#8a95a3", activecolor: "#1c2430" },
  };
  const axis = { automargin: true, gridcolor: "#e6ebf1", zerolinecolor: "#c9d2dc", linecolor: "#c9d2dc" };
  const config = {
    responsive: true,
    displaylogo: false,
    // nothing leaves this page
    showSendToCloud: false,
    plotlyServerURL: "",
    // where nothing hovers the buttons would always cover a figure
    displayModeBar: window.matchMedia("(hover: hover)").matches ? "hover" : false,
    modeBarButtonsToRemove: ["select2d", "lasso2d"],
  };
  const names = Object.keys(figures);
  function draw() {
    const name = names.shift();
    if (name === undefined) {
      document.documentElement.dataset.figures = "drawn";
      return;
    }
    const figure = figures[name];
    const layout = Object.assign({}, base, figure.layout);
    for (const key of ["xaxis", "yaxis"]) layout[key] = Object.assign({}, axis, figure.layout[key]);
    // between figures the page stays usable
    Plotly.newPlot(name, figure.data, layout, config).then(function () { setTimeout(draw, 0); });
  }
  draw();
})();
