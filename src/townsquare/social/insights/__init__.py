"""Insights: named charts of activity and engagement, for operators and for authors, asked over the analytics' port.

`charts` says what a chart and an answer are; `operators` and `authors` list them; `ask` answers.
"""
