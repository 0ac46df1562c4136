import { apiPath } from "@stellar/web";

/** The address of something below a server's files; the path travels as a parameter. */
export function filesUrl(serverId: string, path: string, ...what: string[]): string {
  return `${apiPath("servers", serverId, "files", ...what)}?path=${encodeURIComponent(path)}`;
}

export function join(folder: string, name: string): string {
  return folder ? `${folder}/${name}` : name;
}

export function parent(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
