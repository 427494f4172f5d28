// What stands in place of the circuits where they are not given out: a form for the token, or the
// reason why there are none to be had.

import { token } from "./api.js";
import { h } from "./dom.js";

/** `again()` is called once there is another token. */
export function asking(refused, again) {
  const wrong = Boolean(token.get());
  const field = h("input", { id: "token", name: "token", type: "password", required: true, autocomplete: "off", spellcheck: "false", "aria-describedby": "token-about" });
  const form = (title, about) =>
    h(
      "form",
      {
        class: "token",
        onsubmit: (event) => {
          event.preventDefault();
          token.set(field.value.trim());
          again();
        },
      },
      h("h2", {}, title),
      h("p", { id: "token-about" }, about),
      h("label", { for: "token" }, "Token"),
      h("div", { class: "beside" }, field, h("button", { type: "submit", class: "main" }, "Show the circuits")),
      h("p", { class: "faint" }, "It is kept in this tab until that is closed, and nowhere else."),
    );
  if (refused.wantsToken) {
    return form(
      wrong ? "This token is not the one" : "A token is needed",
      ["Enter the one in ", h("code", {}, "INFUSE_ADMIN_TOKEN"), " to see and to control circuits, or the one in ", h("code", {}, "INFUSE_ADMIN_READ_TOKEN"), " to see them."],
    );
  }
  return h("div", { class: "blank" }, h("h2", {}, refused.title || "Not shown here"), h("p", {}, refused.message), h("p", {}, h("button", { type: "button", class: "main", onclick: again }, "Try again")));
}

/** For who may look and would like to do more. */
export function otherToken(done) {
  const field = h("input", { id: "other-token", type: "password", required: true, autocomplete: "off" });
  const node = h(
    "dialog",
    { class: "control small", "aria-labelledby": "other-token-title", onclose: () => node.remove() },
    h(
      "form",
      {
        method: "dialog",
        onsubmit: () => {
          token.set(field.value.trim());
          done();
        },
      },
      h("header", {}, h("h2", { id: "other-token-title" }, "Another token")),
      h("div", { class: "field" }, h("label", { for: "other-token" }, "Token"), field, h("p", { class: "faint" }, "The one in ", h("code", {}, "INFUSE_ADMIN_TOKEN"), " lets you control circuits.")),
      h("footer", {}, h("button", { type: "button", class: "plain", onclick: () => node.close() }, "Cancel"), h("button", { type: "submit", class: "main" }, "Use it")),
    ),
  );
  document.body.append(node);
  node.showModal();
}
