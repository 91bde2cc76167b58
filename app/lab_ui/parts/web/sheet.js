// Keeps the images of a map's points where the map finds them. It draws nothing, and its data change only with the images.

export default function ({ data }) {
  (window.tasklabSheets ??= new Map()).set(data.name, data);
}
