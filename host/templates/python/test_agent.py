"""The agent as a function: what it answers, and what it refuses."""

import json
import unittest
from pathlib import Path

import agent


class Deployment:
    def __init__(self, **values: str) -> None:
        self.values = values

    def config(self, key: str) -> str | None:
        return self.values.get(key)


class AgentTest(unittest.TestCase):
    def test_the_sample_input_is_counted(self) -> None:
        sample = json.loads(Path(__file__).with_name("input.json").read_text())
        output = agent.run(sample, Deployment())
        self.assertEqual(output, {"words": 8, "top": [("the", 3), ("home", 1)]})

    def test_the_deployment_says_how_many_words_are_named(self) -> None:
        output = agent.run({"text": "b a b"}, Deployment(top="1"))
        self.assertEqual(output["top"], [("b", 2)])

    def test_a_text_without_words_is_refused(self) -> None:
        with self.assertRaises(agent.InvalidInput):
            agent.run({"text": " "}, Deployment())


if __name__ == "__main__":
    unittest.main()
