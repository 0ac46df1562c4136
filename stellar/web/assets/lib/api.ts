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

/** Call the API with JSON; answers the decoded body (undefined when there is none), or throws a `Problem`. */
export async function api<T = unknown>(method: Method, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  } catch {
    throw new Problem(0, "offline", "The panel doesn't answer. Check your connection and try again.");
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
