import { promptDialog } from "./dialog";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** An answer that says why something can't be done (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: Record<string, string> = {},
  ) {
    super(message);
  }
}

/** `/api/v1/…` with every part escaped. */
export function apiPath(...parts: string[]): string {
  return ["/api/v1", ...parts.map((part) => encodeURIComponent(part))].join("/");
}

export function csrfToken(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
}

let underWay = 0;

/** Whether the answer to a change is awaited: it may bring the cookie of another session. */
export function changing(): boolean {
  return underWay > 0;
}

/**
 * Call the API with JSON, or with the files of a form; answers the decoded body (undefined when there is none), or throws a `Problem`. Where the
 * API wants to know again who this is, that is asked for and the call repeated.
 */
export async function api<T = unknown>(method: Method, path: string, body?: unknown): Promise<T> {
  try {
    return await send<T>(method, path, body);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "proof_required" || !(await proveAgain())) throw error;
    return await send<T>(method, path, body);
  }
}

/** Ask for the password or a code until one is right; answers false when the dialog is left. */
async function proveAgain(): Promise<boolean> {
  let label = "Your password, or a code of your authenticator app";
  for (;;) {
    const given = await promptDialog({ title: "Confirm that it is you", label, confirm: "Go on", secret: true });
    if (given === null) return false;
    try {
      await send("POST", "/api/v1/auth/proof", /^\d{6}$/.test(given) ? { code: given } : { password: given });
      return true;
    } catch (error) {
      if (!(error instanceof Problem) || error.status === 0) throw error;
      label = error.message;
    }
  }
}

async function send<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken();
  const form = body instanceof FormData;
  if (body !== undefined && !form) headers["Content-Type"] = "application/json";
  const changes = method === "GET" ? 0 : 1;
  let response: Response;
  underWay += changes;
  try {
    const sent = form ? body : JSON.stringify(body);
    response = await fetch(path, { method, headers, ...(body === undefined ? {} : { body: sent }) });
  } catch {
    throw new Problem(0, "offline", "The panel doesn't answer. Check your connection and try again.");
  } finally {
    underWay -= changes;
  }
  if (!response.ok) throw await problemOf(response);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** The problem that a failed response tells of. */
export async function problemOf(response: Response): Promise<Problem> {
  try {
    const told = (await response.json()) as { code?: string; detail?: string; errors?: Record<string, string> };
    return new Problem(response.status, told.code ?? "", told.detail ?? response.statusText, told.errors);
  } catch {
    return new Problem(response.status, "", `The panel answered ${response.status} ${response.statusText}.`);
  }
}
