/** `/v1/images/{image}` -> `/v1/images/*`, because references contain slashes. `/v1/pods/{id}` -> `/v1/pods/:id`. */
export function routerPath(path: string): string {
  return path.replace(/\{image\}$/, "*").replace(/\{(\w+)\}/g, ":$1");
}
