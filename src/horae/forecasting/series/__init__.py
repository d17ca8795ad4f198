"""Series forecasts: a log in bins of time, one network for all series, its opponents, and the judgement of all of them.

every.py          bins: how wide, in which time zone, and what is known of each ahead of time
table.py          `SeriesTable`: series by bins, with what was left out on the way
from_events.py    a log to series
ready.py          a table `series_id, date, value` to series
settings.py       what may be chosen
simple.py         opponents that take a line: seasonal naive, moving average, drift, last value
classic.py        opponents of the library statsmodels: ETS and ARIMA
windows.py        series to the inputs of a network
convolution.py    the causal convolution
network.py        an encoder and a head that gives quantiles
fitting.py        the loop that trains it
methods.py        all of these behind one face
measures.py       errors, coverage, pinball
judging.py        rolling origins
forecast.py       `forecast_series`: the whole way
pages.py, words.py   what it is worth, for people
"""
