import { csrfToken, Problem, problemOf } from "./api";

/** A file's text and its version (the ETag). */
export interface Content {
  text: string;
  version: string;
}

/** Fetch a text file; throws a `Problem`. */
export async function fetchContent(path: string): Promise<Content> {
  const response = await fetch(path, { cache: "no-store" });
  if (!response.ok) throw await problemOf(response);
  return { text: await response.text(), version: response.headers.get("ETag") ?? "" };
}

/**
 * Send bytes with PUT; answers the new version. With `version` only that is replaced (else a `Problem` of 412).
 * XMLHttpRequest, because fetch doesn't tell how far it is.
 */
export function putContent(
  path: string,
  content: Blob,
  options: { progress?: (share: number) => void; signal?: AbortSignal; version?: string } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.setRequestHeader("X-CSRF-Token", csrfToken());
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (options.version) request.setRequestHeader("If-Match", options.version);
    request.upload.addEventListener("progress", (event) => options.progress?.(event.loaded / Math.max(1, event.total)));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve(request.getResponseHeader("ETag") ?? "");
      else void problemOf(new Response(request.responseText, { status: request.status })).then(reject);
    });
    request.addEventListener("error", () => reject(new Problem(0, "offline", "The connection was lost.")));
    request.addEventListener("abort", () => reject(new Problem(0, "cancelled", "Cancelled.")));
    options.signal?.addEventListener("abort", () => request.abort());
    request.send(content);
  });
}
