def test_items_to_ask_and_lists_from_answers(horae, run):
    document = horae("questionnaire", run, "--size", "3", "--json").json
    assert len(document["items"]) == 3 and document["items"][0].keys() >= {"item_id", "share", "bits"}
    assert "bits" in horae("questionnaire", run, "--size", "3").out
    first = document["items"][0]["item_id"]
    found = horae("questionnaire", run, "--liked", first, "--not-liked", "i03", "-k", "4", "--json").json
    assert {row["source"] for row in found["recommendations"]} == {"questionnaire"}
    assert not {first, "i03"} & {row["item_id"] for row in found["recommendations"]}
    assert "questionnaire" in horae("questionnaire", run, "--liked", first).out


def test_contradictions_are_refused(horae, run):
    horae("questionnaire", run, "--size", "9", "--pool", "8", code=2)
    horae("questionnaire", run, "--liked", "i01", "--not-liked", "i01", code=2)
    horae("questionnaire", run, "--liked", "nothing", code=3)
