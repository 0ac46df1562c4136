declare module "@alpinejs/csp" {
  export { default } from "alpinejs";
}
