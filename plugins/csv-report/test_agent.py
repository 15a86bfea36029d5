"""The agent on files that a person could have."""

import json
import logging
import unittest
from pathlib import Path

import agent
import columns
from table import InvalidInput

logging.disable()
SAMPLE = json.loads(Path(__file__).with_name("sample.json").read_text(encoding="utf-8"))


def report(csv: str, **more):
    return agent.run({"csv": csv, **more}, None)


def kinds(result):
    return {(anomaly["kind"], anomaly["column"]) for anomaly in result["anomalies"]}


class Sample(unittest.TestCase):
    def test_every_column_gets_its_type(self):
        types = {column["name"]: column["type"] for column in agent.run(SAMPLE, None)["columns"]}
        self.assertEqual(
            types,
            {
                "order_id": "integer",
                "date": "date",
                "customer": "text",
                "city": "text",
                "postcode": "text",
                "items": "integer",
                "total": "number",
                "paid": "boolean",
                "currency": "text",
                "note": "text",
            },
        )

    def test_what_is_wrong_in_it_is_found_and_nothing_else(self):
        self.assertEqual(
            kinds(agent.run(SAMPLE, None)),
            {
                ("repeated_row", None),
                ("repeated_key", "order_id"),
                ("spelling", "city"),
                ("misfit", "items"),
                ("outlier", "total"),
                ("constant", "currency"),
                ("mostly_missing", "note"),
                ("padded", "customer"),
            },
        )

    def test_the_report_names_rows_as_a_spreadsheet_counts_them(self):
        result = agent.run(SAMPLE, None)
        line = next(it for it in result["anomalies"] if it["kind"] == "misfit")
        row = SAMPLE["csv"].splitlines()[line["rows"][0] - 1]
        self.assertIn("three", row)
        self.assertIn("(row ", result["report"])
        self.assertIn("# Orders of October", result["report"])


class Statistics(unittest.TestCase):
    def test_numbers_are_summed_up(self):
        (column,) = report("n\n1\n2\n3\n10\n")["columns"]
        self.assertEqual(
            {key: column[key] for key in ("type", "min", "max", "sum", "mean", "median")},
            {"type": "integer", "min": 1, "max": 10, "sum": 16, "mean": 4.0, "median": 2.5},
        )

    def test_fractions_come_without_the_noise_of_binary(self):
        (column,) = report("n\n0.1\n0.2\n")["columns"]
        self.assertEqual(column["sum"], 0.3)

    def test_a_single_row_has_statistics_too(self):
        (column,) = report("n\n5\n")["columns"]
        self.assertEqual(column["median"], 5)
        self.assertNotIn("quartiles", column)

    def test_ways_to_write_a_number(self):
        for text, value in [
            ("12", 12), (" 12 ", 12), ("-3.5", -3.5), ("1e3", 1000.0), ("1,234", 1234), ("1,234.5", 1234.5),
            ("007", None), ("0", 0), ("0.5", 0.5), ("1,23", None), ("abc", None), ("1e999", None), ("9" * 6000, None),
        ]:
            self.assertEqual(columns.number(text), value, text)

    def test_the_day_format_of_the_column_decides(self):
        (column,) = report("d\n03/04/2026\n25/04/2026\n")["columns"]
        self.assertEqual((column["min"], column["max"]), ("2026-04-03", "2026-04-25"))
        american = report("d\n03/04/2026\n04/25/2026\n")
        (column,) = american["columns"]
        self.assertEqual((column["min"], column["max"]), ("2026-03-04", "2026-04-25"))
        self.assertEqual(american["anomalies"], [])

    def test_times_with_and_without_a_zone_can_be_in_one_column(self):
        (column,) = report("t\n2026-01-01T10:00:00Z\n2026-01-02T10:00:00\n")["columns"]
        self.assertEqual(column["type"], "datetime")


class Reading(unittest.TestCase):
    def test_the_delimiter_is_found(self):
        for delimiter in ",;\t|":
            text = "\n".join(delimiter.join(row) for row in (["a", "b"], ["1", "x y"], ["2", "z"]))
            self.assertEqual(report(text)["delimiter"], delimiter)

    def test_a_decimal_comma_does_not_hide_the_semicolon(self):
        self.assertEqual(report("a;b\n1,5;2\n2,5;3\n")["delimiter"], ";")

    def test_quotes_line_ends_and_a_byte_order_mark_are_understood(self):
        result = report('\ufeffname,text\r\na,"x, ""y""\r\nz"\r\n')
        self.assertEqual([column["name"] for column in result["columns"]], ["name", "text"])
        self.assertEqual(result["rows"], 1)
        self.assertEqual(result["columns"][1]["top"][0]["value"], 'x, "y"\r\nz')

    def test_without_a_header_columns_are_numbered(self):
        result = report("1,2\n3,4\n", header=False)
        self.assertEqual([column["name"] for column in result["columns"]], ["column 1", "column 2"])
        self.assertEqual(result["rows"], 2)

    def test_names_are_made_unique(self):
        result = report("a,a,\n1,2,3\n")
        self.assertEqual([column["name"] for column in result["columns"]], ["a", "a (2)", "column 3"])
        self.assertIn(("repeated_name", "a"), kinds(result))

    def test_ragged_and_blank_rows_are_reported_not_lost(self):
        result = report("a,b\n1\n\n2,3,4\n")
        self.assertEqual(result["rows"], 2)
        self.assertEqual({kind for kind, _ in kinds(result)} & {"ragged", "blank"}, {"ragged", "blank"})
        ragged = next(it for it in result["anomalies"] if it["kind"] == "ragged")
        self.assertEqual(ragged["rows"], [2, 4])

    def test_rows_keep_their_numbers_behind_a_blank_line(self):
        result = report("n\n" + "1\n" * 9 + "\n" + "2\nx\n")
        misfit = next(it for it in result["anomalies"] if it["kind"] == "misfit")
        self.assertEqual(misfit["rows"], [13])

    def test_a_header_alone_is_a_table_without_rows(self):
        result = report("a,b\n")
        self.assertEqual((result["rows"], result["anomalies"]), (0, []))

    def test_what_is_no_csv_is_refused(self):
        for text in ("", " \n "):
            with self.assertRaises(InvalidInput):
                report(text)
        with self.assertRaisesRegex(InvalidInput, "can't be read"):
            report('a,b\n"x"y,1\n')

    def test_every_answer_is_json(self):
        for text in ("a\nnan\ninf\n1e308\n", "a,b\n,\n,\n", "é\nü\n"):
            json.dumps(report(text), allow_nan=False)


if __name__ == "__main__":
    unittest.main()
