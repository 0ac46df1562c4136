import { csrfToken, Problem, problemOf } from "./api";

/** Fetch something that isn't JSON; throws a `Problem`. */
export async function fetchContent(path: string): Promise<Blob> {
  const response = await fetch(path, { cache: "no-store" });
  if (!response.ok) throw await problemOf(response);
  return response.blob();
}

/** Send bytes with PUT; XMLHttpRequest, because fetch doesn't tell how far it is. */
export function putContent(
  path: string,
  content: Blob,
  options: { progress?: (share: number) => void; signal?: AbortSignal } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", path);
    request.setRequestHeader("X-CSRF-Token", csrfToken());
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => options.progress?.(event.loaded / Math.max(1, event.total)));
    request.addEventListener("load", () => {
      if (request.status < 300) resolve();
      else void problemOf(new Response(request.responseText, { status: request.status })).then(reject);
    });
    request.addEventListener("error", () => reject(new Problem(0, "offline", "The connection was lost.")));
    request.addEventListener("abort", () => reject(new Problem(0, "cancelled", "Cancelled.")));
    options.signal?.addEventListener("abort", () => request.abort());
    request.send(content);
  });
}
