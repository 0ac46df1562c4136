/** Linked accounts and the confirmation of the address. */
import { startElsewhere } from "./lib/elsewhere";
import { toast } from "./lib/toast";

startElsewhere();

document.addEventListener("stellar:sent", (event) => {
  toast((event as CustomEvent<{ detail: string }>).detail.detail, "info");
});
