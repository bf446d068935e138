import { defineConfig } from "vitest/config";
import { slim, SLIMMED } from "./scripts/slim.js";

export default defineConfig({
  plugins: [
    {
      // The tests run what is shipped.
      name: "slim",
      transform: (code, id) => (SLIMMED.test(id) ? slim(id, code) : undefined),
    },
  ],
  test: {
    environment: "happy-dom",
    include: ["test/*.test.js"],
    restoreMocks: true,
    server: { deps: { inline: ["idiomorph", "idb"] } },
  },
});
