import { api, apiPath, clock, fieldValues, on, one, openDialog, Problem, refresh, showProblem, toast } from "@stellar/web";

interface Join {
  command: string;
  expires_at: string;
}

interface Created {
  node: { name: string };
  join: Join;
}

function showJoin(name: string, join: Join): void {
  one("[data-join-name]").textContent = name;
  one("[data-join-command]").textContent = join.command;
  one("[data-join-copy]").dataset["copy"] = join.command;
  const until = one<HTMLTimeElement>("[data-join-until]");
  until.dateTime = join.expires_at;
  until.textContent = clock(new Date(join.expires_at));
  openDialog("join-node");
}

document.addEventListener("stellar:node-created", (event) => {
  const { node, join } = (event as CustomEvent<Created>).detail;
  one<HTMLDialogElement>("#new-node").close();
  showJoin(node.name, join);
  refresh();
});

on("click", "[data-join]", (button) => {
  button.closest("details")?.removeAttribute("open");
  void newJoin(button.dataset["join"] ?? "", button.dataset["name"] ?? "");
});

async function newJoin(id: string, name: string): Promise<void> {
  try {
    showJoin(name, await api<Join>("POST", apiPath("nodes", id, "join")));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.message, "bad");
  }
}

on("submit", "#node-form", (form, event) => {
  event.preventDefault();
  void save(form as HTMLFormElement);
});

/** `25565-25664`, or one port; what can't be read is for the panel to refuse. */
function range(text: string): { first: number; last: number } {
  const [first = "", last = first] = text.split(/[-–]/);
  return { first: Number(first) || 0, last: Number(last) || 0 };
}

async function save(form: HTMLFormElement): Promise<void> {
  const values = fieldValues(form);
  const ranges = (values["port_ranges"] as string[]).map(range);
  try {
    const body = { ...values, port_ranges: ranges, location: values["location"] || null };
    await api("PATCH", apiPath("nodes", form.dataset["node"] ?? ""), body);
    location.reload();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showProblem(form, error);
  }
}
