"""The questions and their answers: one question a file, each with its evidence and its next step."""
