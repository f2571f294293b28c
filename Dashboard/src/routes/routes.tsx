import type { RouteObject } from "react-router";
import { Navigate } from "react-router";
import { Frame } from "./Frame";
import { RunsRoute } from "./RunsRoute";
import { SignInRoute } from "./SignInRoute";

/** Pages with an editor or charts are fetched when they are opened. */
export const routes: RouteObject[] = [
  { path: "/sign-in", element: <SignInRoute /> },
  {
    path: "/",
    element: <Frame />,
    hydrateFallbackElement: <></>,
    children: [
      { index: true, element: <Navigate to="/runs" replace /> },
      { path: "runs", element: <RunsRoute /> },
      { path: "runs/new", lazy: async () => ({ Component: (await import("./NewRunRoute")).NewRunRoute }) },
      { path: "runs/:id", element: <Navigate to="overview" replace /> },
      { path: "runs/:id/:tab", lazy: async () => ({ Component: (await import("./RunRoute")).RunRoute }) },
      { path: "sweeps", lazy: async () => ({ Component: (await import("./SweepsRoute")).SweepsRoute }) },
      { path: "sweeps/new", lazy: async () => ({ Component: (await import("./NewSweepRoute")).NewSweepRoute }) },
      { path: "sweeps/:id", lazy: async () => ({ Component: (await import("./SweepRoute")).SweepRoute }) },
      { path: "compare", lazy: async () => ({ Component: (await import("./CompareRoute")).CompareRoute }) },
      { path: "pool", lazy: async () => ({ Component: (await import("./PoolRoute")).PoolRoute }) },
      { path: "datasets", lazy: async () => ({ Component: (await import("./DatasetsRoute")).DatasetsRoute }) },
      { path: "datasets/:id", lazy: async () => ({ Component: (await import("./DatasetRoute")).DatasetRoute }) },
      { path: "playground", lazy: async () => ({ Component: (await import("./PlaygroundRoute")).PlaygroundRoute }) },
      { path: "schedules", lazy: async () => ({ Component: (await import("./SchedulesRoute")).SchedulesRoute }) },
      { path: "settings/tokens", lazy: async () => ({ Component: (await import("./TokensRoute")).TokensRoute }) },
      { path: "*", element: <Navigate to="/runs" replace /> },
    ],
  },
];
