// Pages that are documents: theme and tooltips are all they need.

import { connectTheme } from "./theme.js";
import { connectTips } from "./tip.js";

connectTheme(() => {});
connectTips();
