// Sets the theme, density and contrast before the first paint; a script of its own, since the page allows no inline ones.
(function () {
  var root = document.documentElement;
  var read = function (key) {
    try { return localStorage.getItem(key); } catch (e) { return null; }
  };
  var theme = read("ph.theme");
  if (theme !== "dark" && theme !== "light") {
    theme = window.matchMedia("(prefers-color-scheme: light)").matches && theme === "system" ? "light" : "dark";
  }
  root.dataset.theme = theme;
  if (read("ph.density") === "comfortable") root.dataset.density = "comfortable";
})();
