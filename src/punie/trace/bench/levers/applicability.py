"""On what a lever can change anything: reasons why not, in the words of people."""

from __future__ import annotations

from punie.trace.analysis.experiment.arms import Arm, ServerKind


def anywhere(_arm: Arm) -> str:
    """Every arm has requests and an agent."""
    return ""


def own_server(arm: Arm) -> str:
    """Flags are mlx_lm.server's, which we start."""
    match arm.server.kind:
        case ServerKind.MLX:
            return ""
        case ServerKind.PROGRAM:
            return "the server is a program of yours: write its flags into its command line"
        case ServerKind.ATTACHED:
            return "the server runs already: its flags are its owner's"
