"""The example of 40 lines: the same outputs, and no NaN after silence."""

import re

import replace_four_layers

from tests.support import fresh_process


def test_one_layer_for_four():
    code = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"
    printed = fresh_process.succeed(code, replace_four_layers.__file__).stdout
    assert float(re.search("at most (.*);", printed)[1]) < 1e-5
    assert "four layers: 2 of 4 weight arrays are NaN" in printed
    assert "one layer: 0 of 4 weight arrays are NaN" in printed
