// Loads the page again and puts its living parts in place, so that the reader's place, focus and open details stay.
setInterval(async () => {
  if (document.hidden) return;
  const response = await fetch(location.href, { cache: "no-store" }).catch(() => null);
  const news = document.getElementById("no-news");
  news.hidden = Boolean(response && response.ok);
  if (!news.hidden) return;
  // The policy of this page accepts only the style that came with it. It is the first one in the text.
  const text = (await response.text()).replace(/<style[^]*?<\/style>/, "");
  const fresh = new DOMParser().parseFromString(text, "text/html");
  document.title = fresh.title;
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (!other || other.isEqualNode(part) || part.contains(document.activeElement)) continue;
    for (const details of part.querySelectorAll("details[open]")) {
      const same = other.querySelector(`#${CSS.escape(details.id)}`);
      if (same) same.open = true;
    }
    part.replaceWith(other);
  }
}, 15000);
