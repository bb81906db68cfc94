// Show a menu of the site's versions, if versions.js lists other ones. That file lies beside the
// folders of the versions, so pages of old versions know of new ones. It is a script and not JSON,
// because pages that are opened as files may not fetch JSON. Without it, the version stays a label.
document.addEventListener("DOMContentLoaded", () => {
  const root = new URL(document.documentElement.dataset.content_root, location);
  const list = document.createElement("script");
  list.src = new URL("../versions.js", root);
  list.onload = () => {
    const here = DOCUMENTATION_OPTIONS.VERSION;
    const versions = window.SKDAF_VERSIONS || [];
    const label = document.querySelector(".navbar-brand .logo__title");
    if (!label || !versions.some((version) => version !== here)) return;
    const menu = document.createElement("select");
    menu.className = "versions-menu";
    menu.setAttribute("aria-label", "Version");
    for (const version of new Set([...versions, here])) {
      menu.add(new Option(version, version, version === here, version === here));
    }
    menu.onchange = () => location.assign(new URL(`../${menu.value}/index.html`, root));
    label.textContent = label.textContent.replace(here, "").trim();
    label.closest(".navbar-brand").after(menu);
  };
  document.head.append(list);
});
