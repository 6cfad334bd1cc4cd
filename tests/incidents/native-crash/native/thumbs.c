/* Scales pictures; what it does not check is what this is about. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  int width, height;
  unsigned char *pixels;
} Picture;

static Picture *decode(const char *data, Py_ssize_t length) {
  /* A picture of less than four bytes has no header: there is none to give. */
  if (length < 4) return NULL;
  Picture *picture = malloc(sizeof *picture);
  picture->width = (unsigned char)data[0];
  picture->height = (unsigned char)data[1];
  picture->pixels = malloc(16);
  return picture;
}

static int row_average(const Picture *picture, int row) {
  return picture->width ? row % picture->width : 0;
}

static PyObject *scale(PyObject *self, PyObject *args) {
  const char *data;
  Py_ssize_t length;
  if (!PyArg_ParseTuple(args, "y#", &data, &length)) return NULL;
  Picture *picture = decode(data, length);
  int average = row_average(picture, 1);
  free(picture->pixels);
  free(picture);
  return PyLong_FromLong(average);
}

static PyObject *blur(PyObject *self, PyObject *args) {
  const char *data;
  Py_ssize_t length;
  if (!PyArg_ParseTuple(args, "y#", &data, &length)) return NULL;
  /* The buffers are for lines of 2,000 pixels, whatever comes in. */
  char *line = malloc(2000);
  char *next = malloc(2000);
  memcpy(line, data, (size_t)length);
  for (int i = 0; i < 1000; i++) next[i] = (char)((line[i] + line[i + 1]) / 2);
  PyObject *blurred = PyBytes_FromStringAndSize(next, 1000);
  free(next);
  free(line);
  return blurred;
}

static PyMethodDef methods[] = {
  {"scale", scale, METH_VARARGS, "Average of a scaled picture."},
  {"blur", blur, METH_VARARGS, "Blurs a line."},
  {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "thumbs", NULL, -1, methods};

PyMODINIT_FUNC PyInit_thumbs(void) { return PyModule_Create(&module); }
