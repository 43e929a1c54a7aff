"""`improve` as a user runs it, in small: real processes, a stub server whose times follow its tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shop import LEVERS, Shop, finished

pytestmark = [pytest.mark.experiment, pytest.mark.timeout(600)]

QUICK = "--prefill-ms 0.015 --decode-ms 0.3"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, dict[str, Any]]:
    """An improvement that nobody interrupted."""
    shop = Shop.copy(tmp_path_factory.mktemp("whole"), QUICK)
    return shop, shop.improve("--only", LEVERS, "--write-config", "won.toml")


def table(report: dict[str, Any]) -> dict[str, Any]:
    """What the table says but for the digits, in which no two measurements agree."""
    return {
        "ending": report["ending"],
        "winner": set(report["winner"]),
        "levers": {lever["name"]: lever["outcome"] for lever in report["levers"]},
        "confirmed": report["confirmation"]["verdict"],
        "stages": {
            stage: [(tuple(arm["levers"]), [g["verdict"] for g in arm["gates"]]) for arm in arms]
            for stage, arms in report["stages"].items()
            if stage in ("baseline", "screening")
        },
        "causes": {(cause["kind"], tuple(cause["tools"])) for cause in report["causes"]},
    }


def test_what_was_planted_is_found_and_confirmed(whole: tuple[Shop, dict[str, Any]]) -> None:
    shop, report = whole
    assert (report["exit_code"], report["ending"]) == (0, "improved")
    assert {"brief", "parallel-tools", "tool-results=1000"} <= set(report["winner"])
    kinds = [cause["kind"] for cause in report["causes"]]
    assert {"changing-instructions", "tool-per-turn", "long-tool-results"} == set(kinds)
    assert report["confirmation"]["speed_up"] > 1.8  # on a quiet machine 4 and more
    assert "tool_result_characters = 1000" in (shop.folder / "won.toml").read_text()


def test_interrupted_in_the_screening_and_resumed_it_says_the_same(
    whole: tuple[Shop, dict[str, Any]], tmp_path: Path
) -> None:
    shop = Shop.copy(tmp_path, QUICK)
    improvement = shop.interrupt(9, "--only", LEVERS)
    before = finished(shop.folder)
    assert 9 <= len(before) <= 11
    resumed = shop.resume(improvement)
    assert before.items() <= finished(shop.folder).items()  # kept, and not asked again
    assert table(resumed) == table(whole[1])
    assert resumed["confirmation"]["speed_up"] == pytest.approx(whole[1]["confirmation"]["speed_up"], rel=0.5)
    again = shop.resume(improvement)
    assert again == resumed


def test_a_lever_that_loses_answers_is_kept_out(tmp_path: Path) -> None:
    report = Shop.copy(tmp_path, f"{QUICK} --loses-answers").improve("--only", "brief")
    assert (report["exit_code"], report["ending"]) == (9, "nothing-helps")
    (lever,) = report["levers"]
    assert lever["outcome"] == "breaks-a-gate"
    assert lever["speed_up"] is None or lever["speed_up"] > 1


def test_with_the_lines_mended_and_what_was_confirmed_it_is_quick(
    whole: tuple[Shop, dict[str, Any]], tmp_path: Path
) -> None:
    shop = Shop.copy(tmp_path, QUICK, mended=True)
    won = (whole[0].folder / "won.toml").read_text().replace(str(whole[0].folder), str(shop.folder))
    (shop.folder / "server.toml").write_text(won)
    quick = shop.run()
    assert quick["verdicts"]["accuracy"]["estimate"] == 1
    assert quick["causes"] == []
    slow = whole[0].run()
    assert slow["totals"]["wall_ns"] > 2.5 * quick["totals"]["wall_ns"]


def test_its_folder_is_reported_again_and_decided_by(whole: tuple[Shop, dict[str, Any]]) -> None:
    shop, report = whole
    (folder,) = (shop.folder / "improvements").iterdir()
    improvement = folder.relative_to(shop.folder)  # as it was named when it was made
    assert shop.command_on("report", improvement) == report
    shop.run()
    run = max((shop.folder / "runs").iterdir())
    decision = shop.command_on("decide", run, improvement)
    (levers,) = (step for step in decision["steps"] if step["name"] == "levers")
    assert levers["verdict"] == "yes"
    assert f"--config {improvement}/config.toml" in decision["conclusion"]
