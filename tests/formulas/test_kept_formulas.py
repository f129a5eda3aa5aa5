"""A formula is parsed once a thread, whatever many models are made of it."""

import copy
import pickle
import threading

import torch

import paramfit
from paramfit.formulas.compiled_formula import compiled


def test_the_same_text_with_the_same_names_is_one_formula():
    one = compiled("a * exp(-b * x)", ["x"], ["a", "b"])
    assert compiled("a * exp(-b * x)", ("x",), ("a", "b")) is one
    assert copy.deepcopy(one) is one
    assert pickle.loads(pickle.dumps(one)) is one
    assert compiled("a * exp(-b * x)", ["x", "b"], ["a"]) is not one


def test_two_threads_have_a_formula_each():
    made = []
    for _ in range(2):
        thread = threading.Thread(target=lambda: made.append(compiled("a + b * x", ["x"], ["a", "b"])))
        thread.start()
        thread.join()
    assert made[0] is not made[1]
    assert compiled("a + b * x", ["x"], ["a", "b"]) not in made


def test_models_of_one_formula_keep_their_own_parameters():
    x = torch.linspace(0.0, 1.0, 5, dtype=torch.float64)
    first, second = (
        paramfit.FormulaModel("a * x + b", ["x"], {"a": start, "b": {"start": 1.0, "fixed": fixed}})
        for start, fixed in ((1.0, True), (2.0, False))
    )
    assert first.linear_parameters() == ("a",)
    assert second.linear_parameters() == ("a", "b")
    assert torch.equal(second(x) - first(x), x)
