import { defineConfig } from "vitest/config";
import { IDIOMORPH, slim } from "./scripts/slim.js";

export default defineConfig({
  plugins: [
    {
      // The tests run what is shipped.
      name: "slim",
      transform: (code, id) => (IDIOMORPH.test(id) ? slim(code) : undefined),
    },
  ],
  test: {
    environment: "happy-dom",
    include: ["test/*.test.js"],
    restoreMocks: true,
    server: { deps: { inline: ["idiomorph"] } },
  },
});
